package embedded_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// small opens an engine whose tables a few batches fill.
func small(t testing.TB, dir string, fs vfs.FS) *embedded.Engine {
	t.Helper()
	e, err := embedded.Open(embedded.Config{
		Dir: dir, FS: fs, Shards: 4, CacheBytes: 1 << 20, FlushBytes: 64 << 10,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// load proposes numbered batches to a shard until it is told to stop, and gives
// the number of the last that was acknowledged.
type load struct {
	acked atomic.Uint64
	stop  chan struct{}
	wg    sync.WaitGroup
}

func startLoad(t testing.TB, e *embedded.Engine, id store.ShardID) *load {
	t.Helper()
	s, err := e.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{stop: make(chan struct{})}
	l.wg.Go(func() {
		for n := uint64(1); ; n++ {
			select {
			case <-l.stop:
				return
			default:
			}
			b := &store.Batch{}
			b.Set(number(n), make([]byte, 300+n%1000))
			s.Propose(b, func(_ store.Position, err error) {
				if err == nil {
					l.acked.Store(n)
				}
			})
		}
	})
	t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// prefix gives the number of batches of load that a store holds, which must be
// its first ones without a gap.
func prefix(t testing.TB, e *embedded.Engine, id store.ShardID) uint64 {
	t.Helper()
	s, err := e.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	defer it.Close()
	var n uint64
	for it.Next() {
		if n++; binary.BigEndian.Uint64(it.Key()) != n {
			t.Fatalf("shard %d: key %x is number %d", id, it.Key(), n)
		}
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return n
}

// settled waits until so many batches of l are acknowledged.
func (l *load) settled(t testing.TB, n uint64) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for l.acked.Load() < n {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d batches acknowledged, want %d", l.acked.Load(), n)
		}
	}
}

// TestCheckpointUnderLoad copies a store while three shards are written to: each
// copy opens and has what was acknowledged before it was begun.
func TestCheckpointUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := small(t, filepath.Join(dir, "store"), nil)
	loads := map[store.ShardID]*load{}
	for id := range store.ShardID(3) {
		loads[id] = startLoad(t, e, id)
	}
	for round := range 4 {
		before := map[store.ShardID]uint64{}
		for id, l := range loads {
			l.settled(t, uint64(500*(round+1)))
			before[id] = l.acked.Load()
		}
		b, err := e.Checkpoint(embedded.CheckpointConfig{Now: time.Now(), Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, fmt.Sprint("backup", round))
		_, err = embedded.CopyCheckpoint(t.Context(),
			embedded.CheckpointDir(filepath.Join(dir, "store"), b.ID), to)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.DropCheckpoint(b.ID); err != nil {
			t.Error(err)
		}
		restored := filepath.Join(dir, fmt.Sprint("restored", round))
		if _, err := embedded.RestoreBackup(t.Context(), to, restored, time.Now()); err != nil {
			t.Fatal(err)
		}
		other := small(t, restored, nil)
		for id := range loads {
			if n := prefix(t, other, id); n < before[id] {
				t.Errorf("round %d: shard %d has %d batches, %d were acknowledged before",
					round, id, n, before[id])
			}
		}
		if a, b := e.Identity(), other.Identity(); a.Cluster != b.Cluster || a.Node != b.Node ||
			a.Incarnation == b.Incarnation {
			t.Errorf("identities %x and %x", a, b)
		}
		if r, err := other.Restored(); err != nil || r == nil || r.Backup != b.ID ||
			r.Incarnation != e.Identity().Incarnation || !r.Created.Equal(b.Created) {
			t.Errorf("restored from %+v, %v", r, err)
		}
	}
	if r, err := e.Restored(); r != nil || err != nil {
		t.Errorf("the live store was restored from %+v, %v", r, err)
	}
}

// TestCheckpointBound: only so many exist, also over a restart, and each can be
// dropped.
func TestCheckpointBound(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	e := small(t, "/store", disk)
	var ids []string
	for n := range embedded.MaxCheckpoints {
		b, err := e.Checkpoint(embedded.CheckpointConfig{Now: time.Unix(int64(n), 0)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, b.ID)
	}
	if _, err := e.Checkpoint(embedded.CheckpointConfig{}); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("one more: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Checkpoint(embedded.CheckpointConfig{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
	e = small(t, "/store", disk)
	list, err := e.Checkpoints()
	if err != nil || len(list) != len(ids) || list[0].ID != ids[0] {
		t.Fatalf("after a restart %+v, %v", list, err)
	}
	for _, id := range []string{"", "..", strings.Repeat("0", 32)} {
		if err := e.DropCheckpoint(id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("drop %q: %v", id, err)
		}
	}
	for _, id := range ids {
		if err := e.DropCheckpoint(id); err != nil {
			t.Error(err)
		}
	}
	if list, err := e.Checkpoints(); err != nil || len(list) != 0 {
		t.Errorf("dropped, but %+v, %v", list, err)
	}
}

// TestCheckpointExtra: what lies beside the store is in the copy; a name that is
// taken, or leads elsewhere, is refused and leaves nothing.
func TestCheckpointExtra(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := small(t, dir, nil)
	b, err := e.Checkpoint(embedded.CheckpointConfig{
		Extra: map[string][]byte{"MORE": []byte("text")}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(embedded.CheckpointDir(dir, b.ID), "MORE"))
	if err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"IDENTITY", "../MORE", "data", ""} {
		_, err := e.Checkpoint(embedded.CheckpointConfig{
			Extra: map[string][]byte{name: []byte("text")}})
		if err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if list, err := os.ReadDir(filepath.Join(dir, "checkpoints")); err != nil || len(list) != 1 {
		t.Errorf("left %v, %v", list, err)
	}
}

// TestCheckpointFault: an error at any change of a checkpoint fails it and not
// the store, and a crash there leaves the store whole.
func TestCheckpointFault(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for n, done := 1, false; !done; n += stride {
		disk := storetest.NewDisk()
		e := small(t, "/store", disk)
		l := startLoad(t, e, 1)
		l.settled(t, 40)
		l.end()
		acked := l.acked.Load()
		var left *storetest.Disk
		seen := 0
		disk.OnChange(func(c storetest.Change) error {
			if !strings.Contains(c.Name, "/checkpoints/") {
				return nil
			}
			if seen++; seen == n {
				left = disk.Lose(50, uint64(n))
				return broken
			}
			return nil
		})
		_, err := e.Checkpoint(embedded.CheckpointConfig{})
		disk.OnChange(nil)
		if done = seen < n; done && err != nil {
			t.Errorf("without a fault: %v", err)
		}
		if !done {
			afterFault(t, n, left, acked)
		}
		again, err := e.Checkpoint(embedded.CheckpointConfig{})
		if err != nil {
			t.Errorf("change %d: the next one: %v", n, err)
		} else if err := e.DropCheckpoint(again.ID); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Errorf("change %d: %v", n, err)
		}
	}
}

// afterFault opens what a crash left.
func afterFault(t *testing.T, n int, left *storetest.Disk, acked uint64) {
	t.Helper()
	e := small(t, "/store", left)
	if got := prefix(t, e, 1); got < acked {
		t.Errorf("change %d: %d batches after a crash, %d were acknowledged", n, got, acked)
	}
	if names, err := left.List("/store/checkpoints"); err == nil {
		for _, name := range names {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("change %d: %s is left", n, name)
			}
		}
	}
	if _, err := e.Checkpoints(); err != nil {
		t.Errorf("change %d: %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
