package brokertest

import (
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

func onMemory(t testing.TB) Subject {
	e := memory.New(memory.Config{Shards: 3})
	s := Subject{Engine: e}
	next := func(t testing.TB) store.Engine {
		e = e.Image()()
		return e
	}
	s.Crash, s.Reopen = next, next
	return s
}

func TestContractOnMemory(t *testing.T) {
	t.Parallel()
	Run(t, onMemory)
}

func TestContractOnEmbedded(t *testing.T) {
	t.Parallel()
	Run(t, onEmbedded)
}

// onEmbedded runs the engine on a disk in memory that can lose power.
func onEmbedded(t testing.TB) Subject {
	disk := storetest.NewDisk()
	e := openEmbedded(t, disk)
	s := Subject{Engine: e}
	s.Crash = func(t testing.TB) store.Engine {
		disk = disk.Image(50, 1)
		e = openEmbedded(t, disk)
		return e
	}
	s.Reopen = func(t testing.TB) store.Engine {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openEmbedded(t, disk)
		return e
	}
	return s
}

func openEmbedded(t testing.TB, disk *storetest.Disk) *embedded.Engine {
	e, err := embedded.Open(embedded.Config{
		Dir: "data", FS: disk, Shards: 3, CacheBytes: 1 << 20, FlushBytes: 1 << 20,
		Fatal: func(err error) { t.Errorf("store failed: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}
