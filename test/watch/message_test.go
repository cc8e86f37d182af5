package watch

import (
	"encoding/hex"
	"net/http/httptest"
	"testing"

	amqp10 "github.com/Azure/go-amqp"
	amqp "github.com/rabbitmq/amqp091-go"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"coffer/test/story/kit"
)

// of gives the span of a trace with a name, if it is there.
func (c *collector) of(trace, name string) *tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace && s.Name == name {
			return s
		}
	}
	return nil
}

// wants waits for spans of a trace, the last of which is a delivery that was accepted.
func (c *collector) wants(trace string, names ...string) {
	c.t.Helper()
	for _, name := range names {
		kit.Wait(c.t, trace+" "+name, func() bool { return c.of(trace, name) != nil })
	}
	last := c.of(trace, names[len(names)-1])
	if o := attribute(last, "messaging.rabbitmq.outcome"); o != "accepted" {
		c.t.Errorf("%s was %q", trace, o)
	}
}

// send10 sends a message of AMQP 1.0 that belongs to a trace: what stands in annotations
// goes before what stands in properties.
func send10(t *testing.T, l *amqp10.Session, annotated, property string) {
	t.Helper()
	to, err := l.NewSender(t.Context(), "/queues/"+queueName, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := amqp10.NewMessage([]byte(messageText))
	m.ApplicationProperties = map[string]any{"traceparent": parentOf(property)}
	if annotated != "" {
		m.Annotations = amqp10.Annotations{"traceparent": parentOf(annotated)}
	}
	if err := to.Send(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
}

// parentOf is how a client names a trace.
func parentOf(trace string) string { return "00-" + trace + "-00f067aa0ba902b7-01" }

// TestMessageTraces: a message is told in the trace that its sender named, by either
// protocol, and so is its way to who fetches it or is sent it.
func TestMessageTraces(t *testing.T) {
	t.Parallel()
	const (
		first  = "11111111111111111111111111111111"
		second = "22222222222222222222222222222222"
		third  = "33333333333333333333333333333333"
		fourth = "44444444444444444444444444444444"
	)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := &collector{t: t}
	server := httptest.NewServer(c)
	defer server.Close()
	s := kit.Start(t, kit.Config{Binary: binary,
		Args: []string{"--traces", server.URL, "--traces-ratio", "0"}})
	ch, err := s.Dial(s.Main()).Channel()
	must(err)
	must(ch.Confirm(false))
	_, err = ch.QueueDeclare(queueName, true, false, false, false, nil)
	must(err)
	fetch := func(auto bool) amqp.Delivery {
		t.Helper()
		d, ok, err := ch.Get(queueName, auto)
		if must(err); !ok {
			t.Fatal("the queue is empty")
		}
		return d
	}
	d, err := ch.PublishWithDeferredConfirm("", queueName, false, false, amqp.Publishing{
		Body: []byte(messageText), Headers: amqp.Table{"traceparent": parentOf(first)},
	})
	must(err)
	if ok, err := d.WaitContext(t.Context()); !ok || err != nil {
		t.Fatal("the message was not taken", err)
	}
	must(fetch(false).Ack(false))
	c.wants(first, "publish", "get")

	l, err := s.Dial10(s.Main()).NewSession(t.Context(), nil)
	must(err)
	send10(t, l, second, third)
	from, err := l.NewReceiver(t.Context(), "/queues/"+queueName, nil)
	must(err)
	got, err := from.Receive(t.Context(), nil)
	must(err)
	must(from.AcceptMessage(t.Context(), got))
	must(from.Close(t.Context()))
	c.wants(second, "publish", "deliver")
	if c.of(third, "publish") != nil {
		t.Error("the property went before the annotation")
	}
	send10(t, l, "", fourth)
	fetch(true)
	c.wants(fourth, "publish", "get")
}
