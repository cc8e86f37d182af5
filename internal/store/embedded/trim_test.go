package embedded_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store/embedded"
)

// halting is a file system on which a reader of a log makes a pause after each
// read.
type halting struct {
	vfs.FS
	pause *atomic.Pointer[func()]
}

type haltingFile struct {
	vfs.File
	pause func()
}

func (h halting) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := h.FS.Open(name, opts...)
	pause := h.pause.Load()
	if err != nil || pause == nil || !strings.HasSuffix(name, ".log") ||
		strings.Contains(name, "checkpoints") {
		return f, err
	}
	return &haltingFile{f, *pause}, nil
}

func (f *haltingFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p[:min(len(p), 16<<10)])
	f.pause()
	return n, err
}

// TestTornLog: the log is copied so slowly that what is read last is newer than
// what is read first. The copy is cut where that begins, behind all that was
// acknowledged before.
func TestTornLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var pause atomic.Pointer[func()]
	e, err := embedded.Open(embedded.Config{
		Dir: filepath.Join(dir, "store"), FS: halting{vfs.Default, &pause}, Shards: 4,
		MemTableBytes: 1 << 20,
		Fatal:         func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	l := startLoad(t, e, 1)
	l.settled(t, 6000) // logs are written again by then: beyond the end is older text
	rounds := 10       // about one in four reads across the end of what was written
	if stride > 1 {
		rounds = 1 // the race detector looks for something else
	}
	for range rounds {
		acked, reads := l.acked.Load(), 0
		slow := func() {
			if reads++; reads%16 == 0 && reads < 200 {
				l.settled(t, l.acked.Load()+400)
			}
		}
		pause.Store(&slow)
		b, err := e.Checkpoint(embedded.CheckpointConfig{Now: time.Now()})
		pause.Store(nil)
		if err != nil {
			t.Fatal(err)
		}
		other := small(t, embedded.CheckpointDir(filepath.Join(dir, "store"), b.ID), nil)
		if n := prefix(t, other, 1); n < acked {
			t.Errorf("%d batches in the copy, %d were acknowledged before it", n, acked)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
		if err := e.DropCheckpoint(b.ID); err != nil {
			t.Error(err)
		}
	}
}
