package amqp091

import (
	"fmt"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/protocoltest"
)

const lowDisk = protocoltest.LowDisk

// TestNoRoom: publishes with confirms are refused, settlements are taken, and the
// same connections go on when there is room.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	blocked := c.conn.NotifyBlocked(make(chan amqp.Blocking, 4))
	c.queue("q")
	c.must(c.Confirm(false))
	acks := c.NotifyPublish(make(chan amqp.Confirmation, 3))
	c.put("q", "1")
	if a := receive(t, acks); !a.Ack {
		t.Errorf("%+v", a)
	}
	s.Space.Fill(true)
	if b := receive(t, blocked); !b.Active || b.Reason != lowDisk {
		t.Errorf("%+v", b)
	}
	c.put("q", "2")
	if a := receive(t, acks); a.Ack || a.DeliveryTag != 2 {
		t.Errorf("%+v", a)
	}
	m, ok, err := c.Get("q", false)
	if err != nil || !ok || string(m.Body) != "1" {
		t.Errorf("%+v %v %v", m, ok, err)
	}
	c.must(m.Ack(false))
	c.queue("other")
	if n, err := c.QueuePurge("q", false); err != nil || n != 0 {
		t.Errorf("%d left, %v", n, err)
	}
	s.Space.Fill(false)
	if b := receive(t, blocked); b.Active {
		t.Errorf("%+v", b)
	}
	c.put("q", "3")
	if a := receive(t, acks); !a.Ack || a.DeliveryTag != 3 {
		t.Errorf("%+v", a)
	}
}

// TestNoRoomWithoutConfirms: a client that cannot be told is not read from. What
// it publishes meanwhile comes later, in order, and what it settled before is.
func TestNoRoomWithoutConfirms(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	c.queue("q")
	c.queue("settled")
	c.put("settled", "0")
	c.queue("q")
	m, ok, err := c.Get("settled", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.Space.Fill(true)
	c.must(m.Ack(false))
	var sent []string
	for i := range 300 {
		sent = append(sent, fmt.Sprint(i))
	}
	c.put("q", sent...)
	q, _ := s.Namespace.Topology().Queue("settled")
	for unacked := int64(1); unacked > 0; _, unacked, _ = q.Counts() {
		other.queue("settled")
	}
	d, err := other.Consume("q", "", true, false, false, false, nil)
	other.must(err)
	other.queue("q")
	if len(d) != 0 {
		t.Error("a message was taken without room")
	}
	s.Space.Fill(false)
	if got := bodies(t, d, 300); !slices.Equal(got, sent) {
		t.Errorf("%q", got)
	}
	c.queue("q") // the connection is well
}

// TestNoRoomAndStop: a client that is not read from does not hold up the end.
func TestNoRoomAndStop(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	closed := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	s.Space.Fill(true)
	c.put("q", "1")
	s.stop()
	if err := receive(t, closed); err.Code != 320 {
		t.Error(err)
	}
}

// TestNoRoomAndClose: management can close a connection that is not read from.
func TestNoRoomAndClose(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	closed := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := c.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	s.Space.Fill(true)
	receive(t, blocked)
	c.put("q", "1")
	if !s.server.CloseConnection(only(t, s).Name, "too long") {
		t.Error("there was nobody")
	}
	if err := receive(t, closed); err.Code != 320 ||
		err.Reason != "CONNECTION_FORCED - too long" {
		t.Error(err)
	}
}
