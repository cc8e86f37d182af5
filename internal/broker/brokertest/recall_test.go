package brokertest

import (
	"errors"
	"fmt"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store/memory"
)

// recall is a queue with six messages on their way to a consumer when what
// happens between makes the first two go back. After that the key is there: all
// must come in order, as if for the first time.
type recall struct {
	spec    broker.ConsumerSpec
	limit   int  // shared
	held    bool // four are in batches that are not durable yet
	between func(t *testing.T, w *World, c *Client)
}

// TestRecall: what was on its way to Next does not overtake what is returned,
// though the key was away so shortly that the owner did not see it.
func TestRecall(t *testing.T) {
	t.Parallel()
	cases := []recall{
		{spec: broker.ConsumerSpec{Credit: -1}, between: returnTwo},
		{spec: broker.ConsumerSpec{Credit: -1}, between: blink},
		{spec: broker.ConsumerSpec{Credit: 6, Replenish: true}, between: returnTwo},
		{spec: broker.ConsumerSpec{Credit: 6, Replenish: true}, between: blink},
		{spec: broker.ConsumerSpec{Credit: -1, AutoSettle: true}, limit: 6, between: returnTwo},
		{spec: broker.ConsumerSpec{Credit: -1, AutoSettle: true}, limit: 6, between: blink},
	}
	for _, r := range cases {
		r.run(t)
		r.held = true
		r.run(t)
	}
}

func (r recall) run(t *testing.T) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	empty := w.Declare(nil, broker.QueueSpec{Name: "empty"})
	c, other := w.Client(broker.SessionConfig{}), w.Client(broker.SessionConfig{})
	r.spec.Queue, r.spec.Shared = q, broker.NewLimit(r.limit)
	if _, err := c.Consume(t.Context(), r.spec); err != nil {
		t.Fatal(err)
	}
	send := func(from, to int) {
		for i := from; i < to; i++ {
			m, err := w.Message("", "q", fmt.Sprint(i), true)
			if err != nil {
				t.Fatal(err)
			}
			p := []broker.Publishing{{Message: m, Targets: []*broker.Queue{q}}}
			if err := other.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	release := func() {}
	if send(0, 2); r.held {
		if err := other.Flush(); err != nil {
			t.Fatal(err)
		}
		release = e.Hold()
		send(2, 6)
		if _, _, ok, err := other.Get(t.Context(), empty, false); ok || err != nil {
			t.Fatal(ok, err) // the owner has assigned what was sent before
		}
	} else {
		send(2, 6)
		if err := other.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	r.between(t, w, c)
	send(6, 8)
	release()
	r.drain(t, w, c)
	if err := errors.Join(c.Close(t.Context()), other.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}

// drain wants eight unmarked messages in order, and settles them.
func (r recall) drain(t *testing.T, w *World, c *Client) {
	t.Helper()
	for i := range 8 {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
		d := &ev.Delivery
		text, err := w.Text(d)
		if err != nil || text != fmt.Sprint(i) || d.Redelivered || d.Count != 0 {
			t.Fatalf("delivery %d is %q, %v, marked %v, %d", i, text, err, d.Redelivered, d.Count)
		}
		if !r.spec.AutoSettle {
			c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if ready, unacked, _ := r.spec.Queue.Counts(); ready != 0 || unacked != 0 {
		t.Fatalf("%d ready and %d in flight are left", ready, unacked)
	}
}

// returnTwo finds the key away when it opens the first two.
func returnTwo(t *testing.T, w *World, c *Client) {
	t.Helper()
	two := c.Next(make([]broker.Event, 0, 2))
	if len(two) != 2 {
		t.Fatalf("%d events", len(two))
	}
	w.Domain.Lock()
	_, err := w.Text(&two[0].Delivery)
	w.Domain.Unlock()
	if err == nil {
		t.Fatal("opened without a key")
	}
	c.Return([]broker.DeliveryRef{two[0].Delivery.Ref, two[1].Delivery.Ref})
}

// blink takes two while the key is away, and goes on when it is back.
func blink(t *testing.T, w *World, c *Client) {
	t.Helper()
	w.Domain.Blink()
	c.events = append(c.events, c.Next(make([]broker.Event, 0, 2))...)
}
