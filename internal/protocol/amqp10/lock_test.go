package amqp10

import (
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/protocoltest"
)

// While the key is disabled messages are rejected with the reason, deliveries wait,
// settlements are taken; then all goes on, on the same links.
func TestLocked(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	q := e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2")
	p.attach(receiver(1, "/queues/q"))
	p.attach(sender(2, "/queues/q"))
	p.credit(1, 0, 1, false)
	p.expect("1")
	e.Domain.Disable()
	p.transfer(2, 0, false, data("3"))
	got := p.outcome()
	if !strings.HasPrefix(got, "disposition rejected "+wire.AmqpErrorUnauthorizedAccess) ||
		!strings.Contains(got, protocoltest.Key+" is disabled") {
		t.Errorf("a message gets %q", got)
	}
	p.settle(0, 0, true, &wire.Accepted{})
	p.credit(1, 1, 5, true) // its answer shows that no delivery is on its way
	var f wire.Flow
	for !f.Drain {
		p.await(wire.CodeFlow, &f)
	}
	if ready, unacked, _ := q.Counts(); ready != 1 || unacked != 0 {
		t.Errorf("%d ready, %d in flight", ready, unacked)
	}
	p.credit(1, f.DeliveryCount.Value, 5, false)
	e.Domain.Set(nil)
	if r := p.expect("2"); !r.header.FirstAcquirer {
		t.Error("a message that was not sent counts as delivered")
	}
	p.transfer(2, 1, false, data("4"))
	p.expect("4")
}

// A KMS that cannot be reached is no reason to give up a message.
func TestKeyServiceAway(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.attach(sender(0, "/queues/q"))
	e.Domain.Set(fault.New(fault.Unavailable, "KMS does not answer"))
	p.transfer(0, 0, false, data("x"))
	if got := p.outcome(); got != "disposition released" {
		t.Error(got)
	}
}

// A receiver has many messages on their way when the key goes: they come in order
// when it is back.
func TestLockedMidway(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2", "3", "4", "5", "6")
	opened := e.Domain.Opened.Load()
	e.Domain.Fail = func(call int64) error {
		if call == opened+3 {
			e.Domain.Disable()
			return fault.New(fault.KeyUnavailable, "%s is disabled.", protocoltest.Key)
		}
		return nil
	}
	p.attach(sender(2, "/queues/q"))
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 10, false)
	p.expect("1", "2")
	p.transfer(2, 0, false, data("x"))
	if _, f, err := p.frame(); err != nil || !strings.HasPrefix(show(f), "disposition rejected") {
		t.Fatalf("got %s, %v", show(f), err)
	}
	e.Domain.Set(nil)
	p.expect("3", "4", "5", "6")
}

// Without room on the disk senders get no credit, and get it when there is room.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.attach(sender(0, "/queues/q"))
	e.Space.Fill(true)
	p.transfer(0, 0, false, data("x"))
	got := p.outcome()
	if !strings.HasPrefix(got, "disposition rejected "+wire.AmqpErrorResourceLimitExceeded) {
		t.Error(got)
	}
	p.send(0, sender(1, "/queues/q"))
	p.await(wire.CodeAttach, &wire.Attach{})
	p.transfer(1, 1, false, data("x"))
	if got := p.outcome(); !strings.HasPrefix(got, "detach amqp:link:transfer-limit-exceeded") {
		t.Error(got)
	}
	p.send(0, sender(2, "/queues/q"))
	p.await(wire.CodeAttach, &wire.Attach{})
	e.Space.Fill(false)
	var f wire.Flow
	for f.Handle.Value != 2 {
		p.await(wire.CodeFlow, &f)
	}
	p.transfer(2, 2, false, data("x"))
	if got := p.outcome(); got != "disposition accepted" {
		t.Error(got)
	}
}

// What a sender settles itself cannot be refused, so it waits for room.
func TestNoRoomForSettled(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.attach(sender(0, "/queues/q"))
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 10, false)
	p.transfer(0, 0, true, data("1"))
	p.expect("1")
	e.Space.Fill(true)
	p.transfer(0, 1, true, data("2"))
	e.Space.Fill(false)
	p.expect("2")
}
