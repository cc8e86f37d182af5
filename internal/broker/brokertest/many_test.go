package brokertest

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// BenchmarkManyQueues declares 10 000 durable queues bound to one fan-out address,
// opens them again and deletes them, and gives the time and
// memory of each.
func BenchmarkManyQueues(b *testing.B) {
	for _, engine := range []string{"embedded", "memory"} {
		b.Run(engine, func(b *testing.B) { benchManyQueues(b, benchEngine(b, engine)) })
	}
}

func benchManyQueues(b *testing.B, e store.Engine) {
	const n = 10_000
	d := NewDomain()
	for b.Loop() {
		w := Start(b, e, d, broker.Config{})
		declareBound(b, w, n)
		b.StopTimer()
		if err := w.Stop(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := b.Elapsed()
		w = Start(b, e, d, broker.Config{})
		opened := b.Elapsed()
		runtime.GC()
		runtime.ReadMemStats(&after)
		begun := b.Elapsed()
		for i := range n {
			q := w.Queue(fmt.Sprint("q", i))
			if _, err := w.Namespace.DeleteQueue(b.Context(), q, false, false); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((opened-begin).Microseconds())/n, "µs/opened")
		b.ReportMetric(float64((b.Elapsed()-begun).Microseconds())/n, "µs/deleted")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/queue")
		if err := w.Stop(); err != nil {
			b.Fatal(err)
		}
	}
}

// ranged is an engine that counts deletions of ranges.
type ranged struct {
	*memory.Engine
	count *atomic.Int64
}

func (e ranged) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	return rangedShard{s, e.count}, err
}

type rangedShard struct {
	store.Shard
	count *atomic.Int64
}

func (s rangedShard) Propose(b *store.Batch, done func(store.Position, error)) {
	for _, op := range b.Ops() {
		if op.Kind == store.OpDeleteRange {
			s.count.Add(1)
		}
	}
	s.Shard.Propose(b, done)
}

// maxRanges is how many classes of keys a queue may have something in.
const maxRanges = 4

// TestDeleteUnused deletes queues of which few ever had a message. Only those cost
// the store a range, which slows down all reading until it is compacted.
func TestDeleteUnused(t *testing.T) {
	t.Parallel()
	e := ranged{memory.New(memory.Config{Shards: 3}), &atomic.Int64{}}
	w := Start(t, e, NewDomain(), broker.Config{})
	declareBound(t, w, 50)
	c := w.Client(broker.SessionConfig{})
	for _, key := range []string{"q3", "q30"} {
		if err := c.Send("", key, true, "text"); err != nil {
			t.Fatal(err)
		}
	}
	before := e.count.Load()
	for i := range 50 {
		q := w.Queue(fmt.Sprint("q", i))
		if _, err := w.Namespace.DeleteQueue(t.Context(), q, false, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.count.Load() - before; n == 0 || n > 2*maxRanges {
		t.Errorf("%d ranges were deleted, want those of 2 queues, at most %d each", n, maxRanges)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
