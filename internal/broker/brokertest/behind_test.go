package brokertest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
)

// count waits until fn gives n.
func count(t *testing.T, what string, fn func() int64, n int64) {
	t.Helper()
	for deadline := time.Now().Add(patience()); fn() != n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %d", what, fn(), n)
		}
	}
}

// TestBehind: while a consumer takes messages out of a long queue, little is published
// before what it waits for; as soon as it does not, nothing is held back for it. Its
// settlements overtake what others have published.
func TestBehind(t *testing.T) {
	t.Parallel()
	w, e := startOnMemory(t, broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	p, c := w.Client(broker.SessionConfig{}), w.Client(broker.SessionConfig{})
	const long = 1100
	if err := p.Send("", "q", true, make([]string, long)...); err != nil {
		t.Fatal(err)
	}
	m, err := w.Message("", "q", strings.Repeat("x", 8<<10), true)
	if err != nil {
		t.Fatal(err)
	}
	const burst = 64
	pubs := slices.Repeat([]broker.Publishing{{Message: m, Targets: []*broker.Queue{q}}}, burst)
	published := func() int64 { return w.Core.Stats().Published }
	settled := func() int64 { return w.Core.Stats().Settled }
	publish := func() {
		t.Helper()
		if err := p.Publish(t.Context(), pubs); err != nil {
			t.Fatal(err)
		}
	}

	release := e.Hold()
	publish()
	count(t, "nobody consumes; published", published, long+burst)
	release()

	consume(t, c, broker.ConsumerSpec{Queue: q, Credit: 3, Replenish: true})
	var refs []broker.DeliveryRef
	for range 3 {
		d, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, d.Delivery.Ref)
	}
	settle := func(n int64) {
		c.Settle([]broker.Settlement{{Ref: refs[n-1], Outcome: broker.Accept}})
		count(t, "settled", settled, n)
	}
	settle(1)
	release = e.Hold()
	publish()
	settle(2)
	settle(3)
	// The second of these was looked at after all that was to be published before.
	if n := published() - long - burst; n < 1 || n > 32 {
		t.Errorf("%d of %d were put before what a consumer waits for", n, burst)
	}
	release()
	count(t, "published in the end", published, long+2*burst)
	if err := errors.Join(p.Flush(), c.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if ready, unacked, _ := q.Counts(); ready != long+2*burst-3 || unacked != 0 {
		t.Errorf("%d ready and %d unacked at last", ready, unacked)
	}
}
