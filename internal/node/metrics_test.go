package node

import (
	"strconv"
	"testing"
	"time"

	"coffer/internal/telemetry"
)

// BenchmarkCounts is what metrics cost a message that shares its batch and the batch of its
// settlement with others, or with none. doc/operate/capacity.md holds it against the
// processor time of a whole message.
func BenchmarkCounts(b *testing.B) {
	for _, together := range []int{1, 64} {
		b.Run(strconv.Itoa(together), func(b *testing.B) {
			c := newCounts(telemetry.NewRegistry())
			b.ReportAllocs()
			for b.Loop() {
				for range 2 { // publish and settlement
					begin := time.Now() // as the mailbox and the store do
					c.committed(1, 1<<10*together, time.Since(begin))
					c.synced(time.Since(begin))
				}
				c.confirmed(together, time.Since(time.Now()))
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N*together)
			b.ReportMetric(each, "ns/message")
		})
	}
}
