package brokertest

import (
	"sync/atomic"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store/memory"
)

// TestWipe takes the messages of a long queue but one. What was read from the store is
// deleted there as ranges, too, of a thousand and more at a time, up to the one that stays.
func TestWipe(t *testing.T) {
	t.Parallel()
	const messages, kept = 5000, 3000
	e := ranged{memory.New(memory.Config{Shards: 3}), &atomic.Int64{}}
	d := NewDomain()
	fillLong(t, Start(t, e, d, broker.Config{}), messages)
	w := Start(t, e, d, broker.Config{})
	c := w.Client(broker.SessionConfig{})
	consume(t, c, broker.ConsumerSpec{Queue: w.Queue("long"), Credit: 100, Replenish: true})
	before := e.count.Load()
	for i := range messages {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(i, err)
		}
		if i != kept {
			c.Settle([]broker.Settlement{{Ref: ev.Delivery.Ref, Outcome: broker.Accept}})
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wiped := e.count.Load() - before
	if wiped < 1 || wiped > kept/1024 {
		t.Errorf("%d ranges were deleted", wiped)
	}
	if n, err := w.Rows(0x10); n != 1 || err != nil {
		t.Errorf("%d messages are stored, %v", n, err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	healthy(t, e)
}
