package brokertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// sized is an engine that notes the largest batch.
type sized struct {
	*memory.Engine
	largest *atomic.Int64
}

func (e sized) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	return sizedShard{s, e.largest}, err
}

type sizedShard struct {
	store.Shard
	largest *atomic.Int64
}

func (s sizedShard) Propose(b *store.Batch, done func(store.Position, error)) {
	if n := int64(b.Size()); n > s.largest.Load() {
		s.largest.Store(n)
	}
	s.Shard.Propose(b, done)
}

// TestFanOut publishes to many queues. What is large is stored once: the entries
// are one batch, so that after a crash all queues have the message or none has, and
// no batch grows with the copies; the confirm waits for it.
func TestFanOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		queues, size int
		durable      bool
	}{
		{300, 16 << 10, true}, {300, 16 << 10, false}, {9, 8 << 20, true}, {9, 8 << 20, false},
	} {
		e := sized{memory.New(memory.Config{Shards: 3}), &atomic.Int64{}}
		cfg := broker.Config{BatchBytes: 64 << 10, WindowBytes: 256 << 10}
		w := Start(t, e, NewDomain(), cfg)
		declareBound(t, w, c.queues)
		p := w.Client(broker.SessionConfig{})
		text := strings.Repeat("x", c.size)
		for range 2 {
			if err := p.Send("all", "", c.durable, text); err != nil {
				t.Fatal(err)
			}
		}
		one := int64(min(c.size, 256<<10) + c.queues*500 + cfg.BatchBytes)
		if n := e.largest.Load(); n > one {
			t.Errorf("%d copies of %d bytes: a batch of %d bytes", c.queues, c.size, n)
		}
		if n := w.Core.Stats().BatchBytes; n > int64(2*(c.size+c.size/50+c.queues*700)) {
			t.Errorf("%d copies of %d bytes: %d bytes in all", c.queues, c.size, n)
		}
		after := e.Image()() // what a crash just after the confirm leaves
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(); err != nil {
			t.Fatal(err)
		}
		want := int64(2)
		if !c.durable {
			want = 0
		}
		wantReady(t, Start(t, after, w.Domain, cfg), c.queues, want)
	}
}

func declareBound(t testing.TB, w *World, queues int) {
	t.Helper()
	a := broker.Address{Name: "all", Kind: broker.Fanout, Durable: true}
	if _, _, err := w.Namespace.DeclareAddress(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for i := range queues {
		q := w.Declare(nil, broker.QueueSpec{Name: fmt.Sprint("q", i), Durable: true})
		b := broker.Binding{Source: "all", Queue: q.Spec().Name}
		if err := w.Namespace.Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func wantReady(t *testing.T, w *World, queues int, want int64) {
	t.Helper()
	for i := range queues {
		if ready, _, _ := w.Queue(fmt.Sprint("q", i)).Counts(); ready != want {
			t.Fatalf("queue %d has %d messages, want %d", i, ready, want)
		}
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestFanOutWhole crashes after each batch of publishes to many queues whose
// entries are more than a batch is closed at: all queues have a message or none.
func TestFanOutWhole(t *testing.T) {
	t.Parallel()
	const queues = 300
	e := &imaged{Engine: memory.New(memory.Config{Shards: 3})}
	cfg := broker.Config{BatchBytes: 16 << 10}
	w := Start(t, e, NewDomain(), cfg)
	declareBound(t, w, queues)
	e.watch.Store(true)
	p := w.Client(broker.SessionConfig{})
	for range 3 {
		if err := p.Send("all", "", true, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(e.images) < 3 {
		t.Fatalf("%d batches", len(e.images))
	}
	for _, image := range e.images {
		after := Start(t, image(), w.Domain, cfg)
		ready, _, _ := after.Queue("q0").Counts()
		wantReady(t, after, queues, ready)
	}
}

// imaged is an engine that keeps what is durable after each batch, one after
// another, from some time on.
type imaged struct {
	*memory.Engine
	watch  atomic.Bool
	mu     sync.Mutex
	images []func() *memory.Engine
}

func (e *imaged) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	return imagedShard{s, e}, err
}

type imagedShard struct {
	store.Shard
	engine *imaged
}

func (s imagedShard) Propose(b *store.Batch, done func(store.Position, error)) {
	e := s.engine
	if !e.watch.Load() {
		s.Shard.Propose(b, done)
		return
	}
	s.Shard.Propose(b, func(at store.Position, err error) {
		e.mu.Lock()
		e.images = append(e.images, e.Image())
		e.mu.Unlock()
		done(at, err)
	})
}
