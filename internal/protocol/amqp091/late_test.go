package amqp091

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestLate: a channel whose oldest delivery is not settled in time is closed, and what
// it had goes to others; the connection and its other channels go on.
func TestLate(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	s.server.lateInterval = 10 * time.Millisecond
	conn, err := dial(t, s, "/")
	if err != nil {
		t.Fatal(err)
	}
	channel := func() *client {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		return &client{t, ch, conn}
	}
	patient := channel()
	patient.fresh("slow", nil)
	patient.fresh("fast", amqp.Table{"x-consumer-timeout": 1})
	for _, q := range []string{"slow", "fast", "fast"} {
		patient.send("", q, text(q))
	}
	kept := patient.take("slow")
	for i, way := range []string{"consume", "get"} {
		late := channel()
		gone := late.NotifyClose(make(chan *amqp.Error, 1))
		if way == "consume" {
			late.eat("fast", 1, nil) // which may take nothing before its end
		} else {
			late.take("fast")
		}
		want := fmt.Sprintf("PRECONDITION_FAILED - delivery acknowledgement on channel %d "+
			"timed out. Timeout value used: 1 ms. This timeout value can be configured, "+
			"see consumers doc guide to learn more", i+2)
		if err := receive(t, gone); err.Code != 406 || err.Reason != want {
			t.Errorf("%s: %v", way, err)
		}
		if n := patient.depth("fast"); n != 2 {
			t.Errorf("%s: %d are back", way, n)
		}
	}
	patient.must(kept.Ack(false))
	if n := patient.depth("slow"); n != 0 {
		t.Errorf("%d in the patient queue", n)
	}
}

// TestLateByDefault: a queue that says nothing has the server's limit.
func TestLateByDefault(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{ConsumerTimeout: time.Millisecond})
	s.server.lateInterval = 10 * time.Millisecond
	c := connect(t, s)
	c.fresh("q", nil)
	c.send("", "q", text("m"))
	gone := c.NotifyClose(make(chan *amqp.Error, 1))
	c.eat("q", 1, nil) // which may take nothing before its end
	err := receive(t, gone)
	if err.Code != 406 || !strings.Contains(err.Reason, "acknowledgement on channel 1 timed out") {
		t.Error(err)
	}
}
