package embedded_test

import (
	"context"
	"path"
	"strings"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

// TestScriptReachesEveryFile proves that a store with tables as small as those
// of the crash tests writes, reuses and removes every kind of file, so that
// those tests crash there.
func TestScriptReachesEveryFile(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	seen := map[string]bool{}
	disk.OnChange(func(c storetest.Change) error {
		name := path.Base(c.Name)
		for _, kind := range []string{"MANIFEST", "OPTIONS", "FLOOR", "IDENTITY", "marker"} {
			if strings.HasPrefix(name, kind) {
				name = kind
			}
		}
		seen[c.Op+" "+strings.TrimLeft(name, "0123456789")] = true
		return nil
	})
	e := start(t, disk)
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		b := new(store.Batch)
		b.Set([]byte("key"), make([]byte, 5000))
		var wg sync.WaitGroup
		wg.Add(1)
		s.Propose(b, func(store.Position, error) { wg.Done() })
		wg.Wait()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"create .log", "write .log", "sync .log", "rename .log", "create .sst", "write .sst",
		"sync .sst", "remove .sst", "write MANIFEST", "sync MANIFEST", "create marker",
		"sync data", "write FLOOR", "sync FLOOR", "sync IDENTITY", "rename IDENTITY",
	} {
		if !seen[want] {
			t.Errorf("no %q among %v", want, seen)
		}
	}
}
