package node

import (
	"flag"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// With -record http://127.0.0.1:15672 and -record-amqp amqp://127.0.0.1:5672 the fields of
// a RabbitMQ's answers are written to testdata/management-fields. Its user is guest.
var (
	record     = flag.String("record", "", "URL of a RabbitMQ's management API")
	recordAMQP = flag.String("record-amqp", "", "its AMQP URL, without a virtual host")
)

// TestRecord writes what TestFields compares with.
func TestRecord(t *testing.T) {
	if *record == "" {
		t.Skip("no RabbitMQ is named")
	}
	s := &scene{t: t, user: "guest"}
	s.ask = func(method, path, body string) (int, string) {
		r, err := http.NewRequest(method, *record+path, strings.NewReader(body))
		s.must(err)
		r.SetBasicAuth("guest", "guest")
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		s.must(err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		s.must(err)
		return resp.StatusCode, string(text)
	}
	s.dial = func(name string) (*amqp.Connection, error) {
		return amqp.DialConfig(*recordAMQP+"/scene", amqp.Config{
			Vhost: "scene", SASL: []amqp.Authentication{&amqp.PlainAuth{
				Username: "guest", Password: "guest"}},
			Properties: amqp.Table{"connection_name": name},
		})
	}
	s.ask("DELETE", "/api/vhosts/scene", "")
	s.build()
	deadline := time.Now().Add(time.Minute)
	for _, figure := range [...][2]string{
		{"queues/scene/classic", "ack_details"}, {"connections", "recv_oct_details"},
		{"queues/scene/quorum", "messages_ready_details"}, {"channels", "ack_details"},
		{"exchanges/scene/x", "publish_in_details"}, {"consumers/scene", "tag"},
		{"queues/scene/classic", `"consumer_details":[{`}, {"channels", `"confirm_details"`},
	} {
		for !strings.Contains(s.do("GET", "/api/"+figure[0], ""), figure[1]) {
			if time.Now().After(deadline) {
				t.Fatalf("RabbitMQ shows no %s of %s", figure[1], figure[0])
			}
		}
	}
	var out strings.Builder
	out.WriteString("# Fields of RabbitMQ 3.10's answers, written by TestRecord.\n")
	answers := s.routes()
	var paths []string
	for p := range answers {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		out.WriteString(p + "\n")
		for _, f := range fields(t, answers[p]) {
			out.WriteString("  " + f + "\n")
		}
	}
	s.must(os.WriteFile("testdata/management-fields", []byte(out.String()), 0o644))
}
