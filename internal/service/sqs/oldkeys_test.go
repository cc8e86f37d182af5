package sqs

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/control"
	"coffer/internal/seal"
)

// BenchmarkOldKeys reads data keys which no queue seals with any more, as a start does.
// MiB is what stays in memory of them.
func BenchmarkOldKeys(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var held uint64
			for range b.N {
				b.StopTimer()
				w := newWorld(b)
				w.send(w.create("orders", sseKMS(w.key(""))), "x")
				w.oldKeys(n)
				known := len(w.svc.keys)
				before := heap()
				b.StartTimer()
				must(b, w.db.View(b.Context(), func(_ context.Context, tx *control.Tx) error {
					return scanKeys(tx, func(k *keyRow) {
						if w.svc.keys[seal.DomainID(k.ID)] == nil {
							w.svc.keep(k)
						}
					})
				}))
				b.StopTimer()
				held += heap() - before
				if got := len(w.svc.keys); got != known+n {
					b.Fatalf("%d keys were read, not %d", got, known+n)
				}
			}
			b.ReportMetric(float64(held)/float64(b.N)/(1<<20), "MiB")
		})
	}
}

// heap gives the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// oldKeys stores copies of the last data key under other numbers.
func (w *world) oldKeys(n int) {
	w.t.Helper()
	var last keyRow
	ctx := context.Background()
	must(w.t, w.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return scanKeys(tx, func(k *keyRow) { last = *k })
	}))
	for at := 0; at < n; {
		must(w.t, w.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
			for range 1000 {
				k := last
				at++
				k.Number, k.ID = last.Number+uint32(at), uuid.New()
				if err := k.put(tx); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
