package brokertest

import (
	"fmt"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store/memory"
)

// TestDeathWhole rejects messages and crashes after each batch: every message is in
// its queue or among the dead letters, and in one of them.
func TestDeathWhole(t *testing.T) {
	t.Parallel()
	const total = 20
	e := &imaged{Engine: memory.New(memory.Config{Shards: 3})}
	cfg := broker.Config{BatchBytes: 4 << 10}
	w := Start(t, e, NewDomain(), cfg)
	dead := broker.DeadLetter{Set: true, OwnKey: true, Key: "dead"}
	work := w.Declare(nil, broker.QueueSpec{
		Name: "work", Durable: true, Limits: broker.Limits{Dead: dead},
	})
	w.Declare(nil, broker.QueueSpec{Name: "dead", Durable: true})
	c := w.Client(broker.SessionConfig{})
	for i := range total {
		if err := c.Send("", "work", true, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	e.watch.Store(true)
	for range total {
		d, _, ok, err := c.Get(t.Context(), work, false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Reject}})
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(e.images) < total {
		t.Fatalf("%d batches", len(e.images))
	}
	for i, image := range e.images {
		after := Start(t, image(), w.Domain, cfg)
		alive, _, _ := after.Queue("work").Counts()
		buried, _, _ := after.Queue("dead").Counts()
		if alive+buried != total {
			t.Errorf("after batch %d: %d messages and %d dead letters", i, alive, buried)
		}
		if err := after.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
