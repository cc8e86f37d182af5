package amqp10

import (
	"testing"
	"time"
)

// A client that tells its credit again, while the delivery is opened that will take it,
// gets no other one assigned: that one would wait behind it, and nobody else had it.
func TestCreditWhileOpening(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	q, other := e.Queue(t, "q"), e.Queue(t, "other")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2", "3")
	opening, open := make(chan struct{}), make(chan struct{})
	e.Domain.Fail = func(call int64) error {
		if call == 1 {
			close(opening)
			<-open
		}
		return nil
	}
	p.attach(sender(2, "/queues/other"))
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 1, false)
	<-opening
	p.credit(1, 0, 1, false)
	p.transfer(2, 0, true, data("what was told before it counts"))
	look, came := time.NewTicker(time.Millisecond), int64(0)
	defer look.Stop()
	for deadline := time.Now().Add(patience); came == 0 && time.Now().Before(deadline); <-look.C {
		came, _, _ = other.Counts()
	}
	if came == 0 {
		t.Error("what was sent after the credit did not come")
	}
	if ready, unacked, _ := q.Counts(); ready != 2 || unacked != 1 {
		t.Errorf("%d ready, %d in flight", ready, unacked)
	}
	close(open)
	p.expect("1")
	p.credit(1, 1, 2, false)
	p.expect("2")
	p.expect("3")
}
