package node

import (
	"crypto/tls"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// scene builds the scene at broker main.
func (w *world) scene() *scene {
	w.t.Helper()
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c := w.console()
	s := &scene{t: w.t, user: "admin"}
	s.ask = func(method, path, body string) (int, string) {
		return c.ask(admin, method, "https://localhost"+path, body)
	}
	s.dial = func(name string) (*amqp.Connection, error) {
		return w.dialScene(name, "admin", admin)
	}
	s.build()
	return s
}

// dialScene opens an AMQP connection to the scene.
func (w *world) dialScene(name, user, password string) (*amqp.Connection, error) {
	host := net.JoinHostPort("localhost", strconv.Itoa(w.n.fleet.door.Port()))
	return amqp.DialConfig("amqps://"+host, amqp.Config{
		Vhost: "scene", TLSClientConfig: &tls.Config{RootCAs: w.roots()},
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: password}},
		Properties: amqp.Table{"connection_name": name},
	})
}

// dialAs is dialScene for a user whose password is its name.
func (w *world) dialAs(user string) *amqp.Connection {
	w.t.Helper()
	conn, err := w.dialScene("of "+user, user, user)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

// recorded are the fields of RabbitMQ's answers by path.
func recorded(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/management-fields")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	path := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  "):
			out[path] = append(out[path], line[2:])
		default:
			path = line
		}
	}
	return out
}

// omitted are the fields that are not there, each with the reason before it.
func omitted(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/management-omitted")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// TestManagementFields compares each answer about the scene with RabbitMQ's: whatever
// field that has is there with the same type, or among those that are omitted.
func TestManagementFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.scene()
	want, without := recorded(t), omitted(t)
	used := map[string]bool{}
	answers := s.routes()
	for path, list := range want {
		text, ok := answers[path]
		if !ok {
			t.Errorf("%s was recorded and is not asked for", path)
			continue
		}
		have := map[string]bool{}
		for _, f := range fields(t, text) {
			have[f] = true
		}
		for _, f := range list {
			if have[f] || have[strings.TrimSuffix(f, " null")+" string"] {
				continue
			}
			if is := excused(path+" "+f, without); is != "" {
				used[is] = true
				continue
			}
			t.Errorf("%s: %s is missing", path, f)
		}
	}
	for _, line := range without {
		if !used[line] {
			t.Errorf("%s is said to be omitted and is there", line)
		}
	}
}

// excused gives the line that lets a field be missing: a part of "path field type",
// with * for anything at its beginning or end.
func excused(field string, without []string) string {
	for _, line := range without {
		head, start := strings.CutPrefix(line, "*")
		body, end := strings.CutSuffix(head, "*")
		ok := field == body
		switch {
		case start && end:
			ok = strings.Contains(field, body)
		case start:
			ok = strings.HasSuffix(field, body)
		case end:
			ok = strings.HasPrefix(field, body)
		}
		if ok {
			return line
		}
	}
	return ""
}
