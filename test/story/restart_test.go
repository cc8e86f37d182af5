package story

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// TestGracefulStop: clients are told, durable messages stay in order, what was
// not acknowledged comes again and says so, transient ones are gone.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	s := start(t)
	conn := s.Dial(s.Main())
	told := conn.NotifyClose(make(chan *amqp.Error, 1))
	out, in := channel(t, conn, true), channel(t, conn, false)
	declare(t, out, "durable")
	if _, err := out.QueueDeclare("short", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		lasting := publish(t, out, "", "durable", persistent(fmt.Sprint(n)))
		passing := publish(t, out, "", "durable", amqp.Publishing{Body: []byte("gone 0")})
		lost := publish(t, out, "", "short", persistent(fmt.Sprint(n)))
		for _, d := range []*amqp.DeferredConfirmation{lasting, passing, lost} {
			if !confirmed(t, d) {
				t.Fatalf("message %d is refused", n)
			}
		}
	}
	list := consume(t, in, "durable", 10)
	for range 10 {
		kit.Receive(t, "a message", list)
	}
	s.Stop()
	e := kit.Receive(t, "connection.close", told)
	if e == nil || e.Code != amqp.ConnectionForced {
		t.Errorf("told %v, want 320", e)
	}
	s.Restart()
	conn = s.Dial(s.Main())
	in = channel(t, conn, false)
	if n := depth(t, in, "durable"); n != 100 {
		t.Errorf("%d messages in the queue, want the 100 persistent ones", n)
	}
	list = consume(t, in, "durable", 10)
	for n := range 100 {
		d := kit.Receive(t, "a message", list)
		if number(d.Body) != n || d.Redelivered != (n < 5) {
			t.Errorf("message %q, redelivered %t; want %d, %t", d.Body, d.Redelivered, n, n < 5)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.QueueDeclarePassive("short", false, false, false, false, nil); err == nil {
		t.Error("a transient queue is there after a restart")
	}
}
