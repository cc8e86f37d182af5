package watch

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	amqp "github.com/rabbitmq/amqp091-go"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"coffer/test/story/kit"
)

// collector keeps what a process tells it.
type collector struct {
	t *testing.T

	mu    sync.Mutex
	raw   []byte
	spans []*tracepb.Span
}

// ServeHTTP takes spans as a collector of OpenTelemetry does.
func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	data := &tracepb.TracesData{}
	if err == nil {
		err = proto.Unmarshal(body, data)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, from := range data.ResourceSpans {
		for _, s := range from.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
}

// find gives the span with a name whose parent has another name, if it is there.
func (c *collector) find(name, parent string) *tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]string{}
	for _, s := range c.spans {
		names[string(s.SpanId)] = s.Name
	}
	for _, s := range c.spans {
		if s.Name == name && names[string(s.ParentSpanId)] == parent {
			return s
		}
	}
	return nil
}

// attribute gives one of a span; empty when it is not there.
func attribute(s *tracepb.Span, name string) string {
	for _, a := range s.GetAttributes() {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// What a message has that nobody may be told.
const (
	messageText = "words in a message"
	queueName   = "name-of-a-queue"
)

// exchange publishes a message that belongs to a trace, and consumes it.
func exchange(t *testing.T, s *kit.Server, traceParent string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ch, err := s.Dial(s.Main()).Channel()
	must(err)
	must(ch.Confirm(false))
	_, err = ch.QueueDeclare(queueName, true, false, false, false, nil)
	must(err)
	d, err := ch.PublishWithDeferredConfirm("", queueName, false, false, amqp.Publishing{
		Body: []byte(messageText), Headers: amqp.Table{"traceparent": traceParent},
	})
	must(err)
	if ok, err := d.WaitContext(t.Context()); !ok || err != nil {
		t.Fatal("the message was not taken", err)
	}
	list, err := ch.Consume(queueName, "", false, false, false, false, nil)
	must(err)
	got := kit.Receive(t, "the message", list)
	must(got.Ack(false))
}

// TestTraces: what the built binary does for a request is told to a collector, part by
// part, and no secret is.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := &collector{t: t}
	server := httptest.NewServer(c)
	defer server.Close()
	s := kit.Start(t, kit.Config{Binary: binary,
		Args: []string{"--traces", server.URL, "--traces-ratio", "1"}})
	aws := s.AWS()
	key := kit.CreateKey(t, aws)
	s.CreateBroker(aws, "traced", key)
	kit.Do(t, aws.KMS.DisableKey, &kms.DisableKeyInput{KeyId: &key})
	const code = "DisabledException"
	kit.Refused(t, aws.KMS.GenerateDataKey, &kms.GenerateDataKeyInput{
		KeyId: &key, KeySpec: "AES_256"}, code)
	for _, one := range [][2]string{
		{"kms.CreateKey", ""}, {"unit of work", "kms.CreateKey"},
		{"mq.CreateBroker", ""}, {"kms.CreateGrant", "unit of work"},
		{"unit of work", "kms.DisableKey"}, {"fence", "unit of work"},
		{"kms.GenerateDataKey", ""},
	} {
		kit.Wait(t, "span "+strings.Join(one[:], " of "), func() bool {
			return c.find(one[0], one[1]) != nil
		})
	}
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	began := parentOf(parent)
	exchange(t, s, began)
	for _, name := range []string{"publish", "deliver"} {
		kit.Wait(t, name, func() bool { return c.find(name, "") != nil })
		if got := c.find(name, ""); hex.EncodeToString(got.TraceId) != parent ||
			hex.EncodeToString(got.ParentSpanId) != "00f067aa0ba902b7" {
			t.Errorf("%s is told as %v", name, got)
		}
	}
	if o := attribute(c.find("deliver", ""), "messaging.rabbitmq.outcome"); o != "accepted" {
		t.Errorf("the delivery was %q", o)
	}
	header := kms.WithAPIOptions(smithyhttp.SetHeaderValue("Traceparent", began))
	if _, err := aws.KMS.ListKeys(t.Context(), &kms.ListKeysInput{}, header); err != nil {
		t.Fatal(err)
	}
	kit.Wait(t, "what a client began", func() bool { return c.find("kms.ListKeys", "") != nil })
	if id := hex.EncodeToString(c.find("kms.ListKeys", "").TraceId); id != parent {
		t.Errorf("trace %s goes on as %s", parent, id)
	}
	refused := c.find("kms.GenerateDataKey", "")
	if refused.Status.Message != code || attribute(refused, "error.type") != code ||
		attribute(refused, "coffer.account") != "000000000000" ||
		attribute(refused, "coffer.decision") != "allow" {
		t.Errorf("the refusal %q is told as %v", code, refused)
	}
	admin, err := os.ReadFile(filepath.Join(s.Data(), "main-admin"))
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{
		s.Env["AWS_SECRET_ACCESS_KEY"], s.Env["AWS_ACCESS_KEY_ID"],
		strings.TrimSpace(string(admin)), "traced", "Signature", messageText, queueName,
	} {
		if secret == "" || bytes.Contains(c.raw, []byte(secret)) {
			t.Errorf("%q is told", secret)
		}
	}
}
