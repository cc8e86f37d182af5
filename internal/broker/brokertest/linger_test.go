package brokertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// deleting is an engine that tells of the first durable batch that deletes a key.
type deleting struct {
	*memory.Engine
	deleted func()
}

func (e deleting) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	return deletingShard{s, e.deleted}, err
}

type deletingShard struct {
	store.Shard
	deleted func()
}

func (s deletingShard) Propose(b *store.Batch, done func(store.Position, error)) {
	deletes := false
	for _, op := range b.Ops() {
		deletes = deletes || op.Kind == store.OpDelete
	}
	s.Shard.Propose(b, func(at store.Position, err error) {
		done(at, err)
		if deletes && err == nil {
			s.deleted()
		}
	})
}

// TestLoneSettlement settles a message while nothing else happens: that is durable soon,
// though nobody asks.
func TestLoneSettlement(t *testing.T) {
	t.Parallel()
	deleted := make(chan struct{})
	e := deleting{memory.New(memory.Config{Shards: 3}), sync.OnceFunc(func() { close(deleted) })}
	w := Start(t, e, NewDomain(), broker.Config{})
	c := w.Client(broker.SessionConfig{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	_, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("", "q", true, "text"); err != nil {
		t.Fatal(err)
	}
	d, err := c.Wait(broker.Delivered)
	if err != nil {
		t.Fatal(err)
	}
	c.Settle([]broker.Settlement{{Ref: d.Delivery.Ref, Outcome: broker.Accept}})
	select {
	case <-deleted:
	case <-time.After(patience()):
		t.Error("the settlement is not durable")
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
