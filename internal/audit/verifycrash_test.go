package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestVerifyCrash: whatever moment a process that writes ends at, what is durable
// is whole, and every head that was in its file before fits.
func TestVerifyCrash(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 2})
	file := filepath.Join(t.TempDir(), "heads")
	root := bytes.Repeat([]byte{1}, seal.KeySize)
	store0, err := e.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	store1, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), store0, root, control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), db, store1, 1, Config{Heads: &HeadConfig{
		File: file, Every: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := w * 1e6; ; n++ {
				select {
				case <-stop:
					return
				default:
					add(t, l, event(n, time.Now()), n%3 == 0)
				}
			}
		})
	}
	for range 8 {
		before := l.Stats().Heads
		for l.Stats().Heads == before { // something happened
			runtime.Gosched()
		}
		heads, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		crashed(t, e.Image()(), root, heads)
	}
	close(stop)
	writers.Wait()
	l.Close()
	heads, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := crashed(t, e.Image()(), root, heads)
	for _, tree := range p.Trees {
		if tree.Signed != tree.Leaves || tree.Leaves == 0 {
			t.Errorf("a stop left %+v", tree)
		}
	}
}

// crashed verifies what a crash left.
func crashed(t *testing.T, e *memory.Engine, root, heads []byte) *Proof {
	t.Helper()
	snapshot := func(id store.ShardID) store.Snapshot {
		s, err := e.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s.Snapshot()
	}
	base := snapshot(0)
	defer base.Close()
	state, err := control.Inspect(base, root)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	cfg := VerifyConfig{
		State: state, Shards: []store.ShardID{0, 1}, Open: snapshot, Now: time.Now(),
	}
	if len(heads) > 0 {
		cfg.Heads = bytes.NewReader(heads)
	}
	p, err := Verify(t.Context(), cfg)
	if err != nil || !p.Whole() {
		t.Fatalf("%+v, %v", p, err)
	}
	return p
}
