package embedded_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// TestWork shows what the engine does while it is written to.
func TestWork(t *testing.T) {
	t.Parallel()
	var batches, size atomic.Int64
	e, err := embedded.Open(embedded.Config{
		Dir: "data", FS: vfs.NewMem(), FlushBytes: 256 << 10,
		Fatal: func(err error) { t.Error(err) },
		Committed: func(id store.ShardID, n int, took time.Duration) {
			if id != 1 || took <= 0 {
				t.Errorf("shard %d after %v", id, took)
			}
			batches.Add(1)
			size.Add(int64(n))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	value := bytes.Repeat([]byte("v"), 32<<10)
	written := int64(0)
	for deadline := time.Now().Add(time.Minute); ; written++ {
		w := e.Work()
		if w.Flushes > 1 && w.Compactions > 0 && w.FlushedBytes > 0 && w.CompactedBytes > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %d batches: %+v", written, w)
		}
		b, done := &store.Batch{}, make(chan error, 1)
		b.Set([]byte("key"), value)
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := batches.Load(); n != written {
		t.Errorf("told of %d batches of %d", n, written)
	}
	if n := size.Load(); n < written*int64(len(value)) {
		t.Errorf("told of %d bytes in %d batches", n, written)
	}
	last := make(chan error, 1)
	s.Propose(&store.Batch{}, func(_ store.Position, err error) { last <- err })
	if err := <-last; err != nil {
		t.Fatal(err)
	}
	written++
	snap := s.Snapshot()
	w := e.Work()
	if w.Snapshots != 1 || w.LogBytes == 0 || w.StoredBytes == 0 || w.MemTableBytes == 0 ||
		w.ReadLevels == 0 || w.ReserveBytes == 0 {
		t.Errorf("got %+v", w)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	if n := e.Work().Snapshots; n != 0 {
		t.Errorf("%d snapshots after the last was closed", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
