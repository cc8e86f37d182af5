package embedded

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestStalls: a batch waits while the memory is full and what was in it before is being
// flushed, and no longer; this is counted.
func TestStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(Config{
			FS: vfs.NewMem(), Dir: "data", FlushBytes: 1 << 10,
			Logger: slog.New(slog.DiscardHandler),
		})
		f := e.flusher
		f.setBusy(true)
		if err := f.pass(); err != nil { // there is room beside it
			t.Error(err)
		}
		for n := range int64(2) {
			f.note(1<<10, 1, 1)
			passed := false
			go func() { passed = f.pass() == nil }()
			synctest.Wait()
			if passed || e.stalls.Load() != n+1 || e.waiting.Load() != 1 {
				t.Errorf("stall %d: %d, now %d", n, e.stalls.Load(), e.waiting.Load())
			}
			f.logged.Store(0) // the flush ended, the next one began
			f.setBusy(true)
			synctest.Wait()
			if !passed || e.waiting.Load() != 0 {
				t.Error("the stall does not end")
			}
		}
		f.note(1<<10, 1, 1)
		f.setBusy(false)
		if err := f.pass(); err != nil { // the next flush is about to begin
			t.Error(err)
		}
	})
}
