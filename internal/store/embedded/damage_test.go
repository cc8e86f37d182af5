package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

const damageBatches = 60

// filled gives a disk with a closed store in which every shard has damageBatches
// batches, in logs and, when those in memory are small, in tables.
func filled(t *testing.T, flushBytes int64) *storetest.Disk {
	disk := storetest.NewDisk()
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: disk, Shards: 4, FlushBytes: flushBytes,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var durable sync.WaitGroup
	for id := range store.ShardID(3) {
		s, err := e.Open(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		for n := range damageBatches {
			b := new(store.Batch)
			b.Set(fmt.Appendf(nil, "key%03d", n), []byte(strings.Repeat(fmt.Sprint(n, " "), 400)))
			durable.Add(1)
			s.Propose(b, func(store.Position, error) { durable.Done() })
		}
	}
	durable.Wait()
	// The log has something, also where that filled it and was flushed.
	for first := true; first || e.Work().MemTableBytes == 0; first = false {
		if _, err := e.Open(context.Background(), 3); err != nil {
			t.Fatal(err)
		}
		for !e.Settled() {
			runtime.Gosched()
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return disk
}

// readAll gives the number of batches that a shard shows in full.
func readAll(s store.Shard) (n int, err error) {
	snap := s.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	for ; it.Next(); n++ {
		want := strings.Repeat(fmt.Sprint(n, " "), 400)
		if string(it.Key()) != fmt.Sprintf("key%03d", n) || string(it.Value()) != want {
			it.Close()
			return n, fmt.Errorf("key %d, %q, is wrong", n, it.Key())
		}
	}
	return n, it.Close()
}

// found reports whether a store is whole, or the error that says it is not.
func found(t *testing.T, disk *storetest.Disk) error {
	e, err := open(disk, func(err error) { t.Logf("fatal: %v", err) })
	if err != nil {
		return err
	}
	defer e.Close()
	for id := range store.ShardID(3) {
		s, err := e.Open(context.Background(), id)
		if err != nil {
			return err
		}
		if n, err := readAll(s); err != nil {
			return err
		} else if n != damageBatches {
			t.Errorf("shard %d lost %d batches in silence", id, damageBatches-n)
		}
	}
	return nil
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeFile(t *testing.T, fs vfs.FS, name string, text []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(text)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// everyFile lists the files of a store.
func everyFile(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"/store", "/store/data", "/store/log"} {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			path := path.Join(dir, name)
			if info, err := fs.Stat(path); err != nil {
				t.Fatal(err)
			} else if name != "LOCK" && !info.IsDir() {
				all = append(all, path)
			}
		}
	}
	return all
}

// middle is an offset in the midst of what a file holds. A log is made longer ahead of
// what it holds.
func middle(name string, text []byte) int {
	if strings.HasSuffix(name, ".log") {
		text = bytes.TrimRight(text, "\x00")
	}
	return len(text) / 2
}

// TestDamageIsFound damages each file in turn, in several ways. The store must
// refuse with store.ErrDamaged or hold everything; batches never go in silence.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	damages := map[string]func(text []byte, middle int) []byte{
		"removed":          func([]byte, int) []byte { return nil },
		"emptied":          func([]byte, int) []byte { return []byte{} },
		"cut in half":      func(b []byte, middle int) []byte { return b[:middle] },
		"cut at the end":   func(b []byte, _ int) []byte { return b[:len(b)-min(len(b), 30)] },
		"flipped at first": func(b []byte, _ int) []byte { b[0] ^= 1; return b },
		"flipped midway":   func(b []byte, middle int) []byte { b[middle] ^= 1; return b },
		"flipped at last":  func(b []byte, _ int) []byte { b[len(b)-1] ^= 1; return b },
		"zeroed behind":    func(b []byte, middle int) []byte { clear(b[middle*3/2:]); return b },
	}
	for _, name := range everyFile(t, whole) {
		for how, damage := range damages {
			disk := whole.Image(100, 0)
			text := readFile(t, disk, name)
			if middle(name, text) == 0 {
				continue
			}
			if text = damage(text, middle(name, text)); text == nil {
				if err := disk.Remove(name); err != nil {
					t.Fatal(err)
				}
			} else {
				writeFile(t, disk, name, text)
			}
			err := found(t, disk)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s %s: %v", name, how, err)
			}
			if err != nil && !strings.Contains(err.Error(), "/store") {
				t.Errorf("%s %s: no file in %v", name, how, err)
			}
		}
	}
}

// TestRefusalChangesNothing lets the log end below what was acknowledged.
func TestRefusalChangesNothing(t *testing.T) {
	t.Parallel()
	disk := filled(t, 4<<20) // everything is in one log
	log := logsOf(t, disk)[0]
	text := readFile(t, disk, log)
	writeFile(t, disk, log, text[:middle(log, text)])
	before := map[string]string{}
	for _, name := range everyFile(t, disk) {
		before[name] = string(readFile(t, disk, name))
	}
	err := found(t, disk)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), log) {
		t.Errorf("a log that lost its end: %v, want an error that names %s", err, log)
	}
	for _, name := range everyFile(t, disk) {
		if before[name] != string(readFile(t, disk, name)) {
			t.Errorf("%s was changed", name)
		}
		delete(before, name)
	}
	if len(before) > 0 {
		t.Errorf("%d files were removed", len(before))
	}
}

func TestMissingData(t *testing.T) {
	t.Parallel()
	disk := filled(t, 64<<10)
	if err := disk.RemoveAll("/store/data"); err != nil {
		t.Fatal(err)
	}
	if err := found(t, disk); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a store without its data folder: %v", err)
	}
	if err := disk.Remove("/store/IDENTITY"); err != nil {
		t.Fatal(err)
	}
	err := found(t, disk)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "IDENTITY") {
		t.Errorf("a floor without identity: %v", err)
	}
}

func TestOtherShardCount(t *testing.T) {
	t.Parallel()
	_, err := embedded.Open(embedded.Config{Dir: "/store", FS: filled(t, 64<<10), Shards: 5})
	if err == nil || !strings.Contains(err.Error(), "has 4 shards") {
		t.Errorf("another number of shards: %v", err)
	}
}
