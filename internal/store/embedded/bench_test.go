package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// BenchmarkPropose1KiB writes messages of 1 KiB, and deletes each some time
// later, as a queue does, in batches of one or many.
func BenchmarkPropose1KiB(b *testing.B) {
	for _, messages := range []int{1, 64, 512, 1024} {
		b.Run(fmt.Sprint("messages=", messages), func(b *testing.B) { bench(b, messages) })
	}
}

func bench(b *testing.B, messages int) {
	e, err := embedded.Open(embedded.Config{
		Dir: b.TempDir(), Fatal: func(err error) { b.Fatal(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1<<10)
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	var wg sync.WaitGroup
	pool := sync.Pool{New: func() any { return new(store.Batch) }}
	key := func(dst []byte, n int) []byte { return fmt.Appendf(dst[:0], "queue/%016d", n) }
	var buf []byte
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		batch := pool.Get().(*store.Batch)
		batch.Reset()
		for range messages {
			buf = key(buf, next)
			batch.InsertJoined(buf, body[:200], body[200:])
			if next >= 10_000 {
				buf = key(buf, next-10_000)
				batch.Delete(buf)
			}
			next++
		}
		wg.Add(1)
		s.Propose(batch, func(_ store.Position, err error) {
			if err != nil {
				b.Error(err)
			}
			pool.Put(batch)
			wg.Done()
		})
	}
	wg.Wait()
	b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "messages/s")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen measures the first start of a store and a later one.
func BenchmarkOpen(b *testing.B) {
	start := func(b *testing.B, dir string) {
		e, err := embedded.Open(embedded.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		for _, id := range e.Shards() {
			if _, err := e.Open(context.Background(), id); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			start(b, b.TempDir())
		}
	})
	b.Run("later", func(b *testing.B) {
		dir := b.TempDir()
		start(b, dir)
		for b.Loop() {
			start(b, dir)
		}
	})
}

// BenchmarkSnapshot looks at a shard that does not change meanwhile.
func BenchmarkSnapshot(b *testing.B) {
	e, err := embedded.Open(embedded.Config{
		Dir: b.TempDir(), Fatal: func(err error) { b.Fatal(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := e.Open(context.Background(), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Snapshot().Close(); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}
