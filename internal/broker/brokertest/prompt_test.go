package brokertest

import (
	"context"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// prompt is an engine whose batches are durable, and said to be, before Propose
// returns: the earliest moment that the seam allows.
type prompt struct{ store.Engine }

func (e prompt) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	return promptShard{s}, err
}

type promptShard struct{ store.Shard }

func (s promptShard) Propose(b *store.Batch, done func(store.Position, error)) {
	said := make(chan struct{})
	s.Shard.Propose(b, func(p store.Position, err error) {
		if done != nil {
			done(p, err)
		}
		close(said)
	})
	<-said
}

// TestPromptStore delivers a transient message, which waits for nothing, before
// a durable one behind it, whose mark waits for the batch of the same round.
func TestPromptStore(t *testing.T) {
	t.Parallel()
	w := Start(t, prompt{memory.New(memory.Config{Shards: 3})}, NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	for i, text := range []string{"0", "1", "2", "3"} {
		if err := c.Send("", "q", i%2 == 1, text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: -1}); err != nil {
		t.Fatal(err)
	}
	expect(t, w, c, 4)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
