package brokertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// slowReads is an engine whose snapshots wait to be let through.
type slowReads struct {
	*memory.Engine
	asked chan struct{} // a snapshot was taken
	pass  chan struct{} // and may be read
}

func (e slowReads) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if id == 1 {
		s = slowShard{s, e}
	}
	return s, err
}

type slowShard struct {
	store.Shard
	engine slowReads
}

func (s slowShard) Snapshot() store.Snapshot {
	snap := s.Shard.Snapshot()
	s.engine.asked <- struct{}{}
	<-s.engine.pass
	return snap
}

// letAll lets every snapshot through until stop is called.
func (e slowReads) letAll() (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-e.asked:
				e.pass <- struct{}{}
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// TestStaleRead purges a queue while a page of it is being read, and fills it
// again: what was purged must not come, and nothing else may be missing.
func TestStaleRead(t *testing.T) {
	t.Parallel()
	e := slowReads{memory.New(memory.Config{Shards: 3}), make(chan struct{}), make(chan struct{})}
	stop := e.letAll()
	w := Start(t, e, NewDomain(), Tiny())
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	old := make([]string, 200)
	for i := range old {
		old[i] = "purged"
	}
	if err := c.Send("", "q", true, old...); err != nil {
		t.Fatal(err)
	}
	stop()
	k, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: 50})
	if err != nil {
		t.Fatal(err)
	}
	<-e.asked // a page of what is not in memory
	taken := len(c.Pending())
	if n, err := w.Namespace.PurgeQueue(t.Context(), q); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	taken += len(c.Pending())
	for i := range 200 {
		if err := c.Send("", "q", true, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	e.pass <- struct{}{}
	stop = e.letAll()
	c.AddCredit(k, 200-(50-taken))
	expect(t, w, c, 200)
	stop()
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}
