package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// open opens an engine on a disk of storetest, with tables so small that a
// short script fills some.
func open(fs vfs.FS, fatal func(error)) (store.Engine, error) {
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: fs, Shards: 4,
		CacheBytes: 1 << 20, FlushBytes: 32 << 10, Fatal: fatal,
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// start opens an engine that must open and never fail, and closes it at the end.
func start(t testing.TB, fs vfs.FS) store.Engine {
	t.Helper()
	e, err := open(fs, func(err error) { t.Errorf("fatal: %v", err) })
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

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Subject {
		disk := storetest.NewDisk()
		return storetest.Subject{
			Engine: start(t, disk),
			Hold:   disk.Hold,
			Image: func() func(testing.TB) store.Engine {
				left := disk.Image(0, 0)
				return func(t testing.TB) store.Engine { return start(t, left) }
			},
			Reopen: func(t testing.TB) store.Engine { return start(t, disk) },
		}
	})
}

func TestCrash(t *testing.T) {
	t.Parallel()
	storetest.RunCrash(t, stride, open)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	storetest.RunFaults(t, stride, open)
}
