package embedded

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestStalls counts how often writes have to wait for the engine.
func TestStalls(t *testing.T) {
	t.Parallel()
	e := newEngine(Config{FS: vfs.NewMem(), Dir: "data", Logger: slog.New(slog.DiscardHandler)})
	on := e.listener()
	for n := range int64(2) {
		on.WriteStallBegin(pebble.WriteStallBeginInfo{Reason: "memtable count limit reached"})
		if e.stalls.Load() != n+1 || !e.stalled.Load() {
			t.Errorf("stall %d: %d, now %v", n, e.stalls.Load(), e.stalled.Load())
		}
		on.WriteStallEnd()
		if e.stalled.Load() {
			t.Error("the stall does not end")
		}
	}
}
