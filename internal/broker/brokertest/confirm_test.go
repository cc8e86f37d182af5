package brokertest

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/broker"
)

// TestConfirmed: what waits for the store is counted while it waits, and each message
// that is confirmed by it is told once.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	var confirmed atomic.Int64
	w, e := startOnMemory(t, broker.Config{
		Confirmed: func(n int, waited time.Duration) {
			if waited <= 0 || waited > time.Hour {
				t.Errorf("waited %v", waited)
			}
			confirmed.Add(int64(n))
		},
	})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{PublishCount: 3})
	if s := w.Core.Stats(); s.Queues != 1 || s.Consumers != 0 {
		t.Errorf("got %+v", s)
	}
	publishing := func(text string, durable bool) broker.Publishing {
		m, err := w.Message("", "q", text, durable)
		if err != nil {
			t.Fatal(err)
		}
		return broker.Publishing{Message: m, Targets: []*broker.Queue{q}, Confirm: true}
	}
	pubs := slices.Repeat([]broker.Publishing{publishing("durable", true)}, 5)
	release := e.Hold()
	done := make(chan error, 1)
	go func() { done <- c.Publish(t.Context(), pubs) }()
	for deadline := time.Now().Add(patience()); w.Core.Stats().Waiting == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the publisher does not wait")
		}
	}
	if s := w.Core.Stats(); s.Publishing != 3 || s.Bytes < 3*int64(len(pubs[0].Message.Record)) {
		t.Errorf("got %+v", s)
	}
	if n := confirmed.Load(); n != 0 {
		t.Errorf("%d were confirmed before they were durable", n)
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	await := func(kind broker.EventKind, n int) {
		for range n {
			if _, err := c.Wait(kind); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(broker.Published, len(pubs))
	if err := c.Commit(t.Context(), broker.Transaction{Publishings: pubs[:2]}, 1); err != nil {
		t.Fatal(err)
	}
	await(broker.Committed, 1)
	transient := []broker.Publishing{publishing("transient", false)}
	if err := c.Publish(t.Context(), transient); err != nil {
		t.Fatal(err)
	}
	await(broker.Published, 1)
	if n := confirmed.Load(); n != 7 {
		t.Errorf("%d messages were confirmed by the store, not 7", n)
	}
	w.Settle()
	if s := w.Core.Stats(); s.Waiting != 0 || s.Publishing != 0 || s.Bytes != 0 {
		t.Errorf("at rest: %+v", s)
	}
	closed(t, c)
}
