package node

import (
	"testing"
	"time"

	"coffer/internal/telemetry"
)

// BenchmarkCounts is what the metrics of a batch of the queue core cost, however many
// messages are in it.
func BenchmarkCounts(b *testing.B) {
	c := newCounts(telemetry.NewRegistry())
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now() // as the mailbox and the store do
		c.committed(1, 1<<20, time.Since(begin))
		c.confirmed(256, time.Since(begin))
		c.synced(time.Since(begin))
	}
}
