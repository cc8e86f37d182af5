package embedded

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store/storetest"
)

// TestCompactionWaits: a compaction that meets a full disk leaves the reserve to
// what cannot wait, and waits on while that has it. Its file is whole in the end.
func TestCompactionWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := storetest.NewDisk()
		disk.Bound(16 << 20)
		e, err := Open(Config{
			Dir: "/store", FS: disk, Shards: 4, FlushBytes: 64 << 10, LowWaterBytes: 1 << 20,
			Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		slow, urgent := create(t, e, "/slow", compaction), create(t, e, "/urgent", "other")
		disk.Fill(1000)
		text := bytes.Repeat([]byte("compacted"), 1000)
		done := make(chan error, 2)
		go func() { _, err := slow.Write(bytes.Clone(text)); done <- err }()
		synctest.Wait()
		if _, err := disk.Stat("/store/RESERVE"); err != nil || e.Stats().Waiting != 1 {
			t.Errorf("%+v, reserve: %v", e.Stats(), err)
		}
		if _, err := urgent.Write(bytes.Clone(text)); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute)
		if _, err := disk.Stat("/store/RESERVE"); err == nil || e.Stats().Waiting != 1 ||
			disk.Free() == 0 {
			t.Errorf("%+v, %d free, reserve: %v", e.Stats(), disk.Free(), err)
		}
		disk.Fill(-1)
		<-time.After(time.Minute)
		if err := <-done; err != nil || e.Room() != nil {
			t.Error(err, e.Room())
		}
		for _, name := range []string{"/slow", "/urgent"} {
			if got, err := readFile(disk, name, 1<<20); !bytes.Equal(got, text) || err != nil {
				t.Errorf("%s holds %d bytes of %d, %v", name, len(got), len(text), err)
			}
		}
		if err := slow.Close(); err != nil {
			t.Error(err)
		}
		if err := urgent.Close(); err != nil {
			t.Error(err)
		}
	})
}

func create(t *testing.T, e *Engine, name string, c vfs.DiskWriteCategory) vfs.File {
	t.Helper()
	f, err := e.guard.Create(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
