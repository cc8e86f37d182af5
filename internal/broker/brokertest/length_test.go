package brokertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// watched is an engine that counts what is read of the queue shard.
type watched struct {
	*memory.Engine
	*reads
}

type reads struct {
	iterators atomic.Int64
	values    atomic.Int64
	bytes     atomic.Int64
}

func (r *reads) add(value []byte) {
	r.values.Add(1)
	r.bytes.Add(int64(len(value)))
}

func (e watched) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if id == 0 {
		return s, err
	}
	return watchedShard{s, e.reads}, err
}

type watchedShard struct {
	store.Shard
	*reads
}

func (s watchedShard) Snapshot() store.Snapshot {
	return watchedSnapshot{s.Shard.Snapshot(), s.reads}
}

type watchedSnapshot struct {
	store.Snapshot
	*reads
}

func (s watchedSnapshot) Get(key []byte) ([]byte, bool, error) {
	v, ok, err := s.Snapshot.Get(key)
	s.add(v)
	return v, ok, err
}

func (s watchedSnapshot) Iter(lower, upper []byte) store.Iterator {
	s.iterators.Add(1)
	return watchedIterator{s.Snapshot.Iter(lower, upper), s.reads}
}

type watchedIterator struct {
	store.Iterator
	*reads
}

func (i watchedIterator) Next() bool {
	ok := i.Iterator.Next()
	if ok {
		i.add(i.Value())
	}
	return ok
}

// TestLongStart opens queues of different lengths and takes the first message of
// each. What is read until then must not depend on the length.
func TestLongStart(t *testing.T) {
	t.Parallel()
	cfg := broker.Config{PageBytes: 4 << 10, WindowBytes: 64 << 10}
	var read [2][3]int64
	for i, n := range []int{200, 20_000} {
		e := memory.New(memory.Config{Shards: 3})
		d := NewDomain()
		w := Start(t, e, d, cfg)
		fillLong(t, w, n)
		counts := &reads{}
		w = Start(t, watched{e, counts}, d, cfg)
		c := w.Client(broker.SessionConfig{})
		spec := broker.ConsumerSpec{Queue: w.Queue("long"), Credit: 1}
		if _, err := c.Consume(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		event, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := w.Text(&event.Delivery); err != nil || text != "0" {
			t.Fatalf("got %q, %v, want the first message", text, err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(); err != nil {
			t.Fatal(err)
		}
		read[i] = [3]int64{counts.iterators.Load(), counts.values.Load(), counts.bytes.Load()}
	}
	for i, what := range []string{"iterators", "values", "bytes"} {
		short, long := read[0][i], read[1][i]
		if short == 0 || long > short+short/10 {
			t.Errorf("%d %s were read of the long queue and %d of the short one", long, what, short)
		}
	}
}

// fillLong puts n numbered messages into a queue and closes the world.
func fillLong(t *testing.T, w *World, n int) {
	t.Helper()
	w.Declare(nil, broker.QueueSpec{Name: "long", Durable: true})
	c := w.Client(broker.SessionConfig{})
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
		if len(texts) == 100 || i == n-1 {
			if err := c.Send("", "long", true, texts...); err != nil {
				t.Fatal(err)
			}
			texts = texts[:0]
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
