package embedded

import (
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

// TestFloorIsSynced: a power cut takes no more from the floor than what came in
// its last second; a log that lost what is older is found to be damaged.
func TestFloorIsSynced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := storetest.NewDisk()
		e, err := Open(Config{
			Dir: "/store", FS: disk, Shards: 4,
			Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		s, err := e.Open(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var last store.Position
		for range 3 {
			b := &store.Batch{}
			b.Set([]byte("key"), []byte("value"))
			done := make(chan error, 1)
			s.Propose(b, func(pos store.Position, err error) { last = pos; done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(2 * floorInterval)
		synctest.Wait()
		f, err := openFloor(disk.Lose(0, 1), "/store/"+floorName, 2, 4, true)
		if err != nil {
			t.Fatal(err)
		}
		defer f.file.Close()
		if f.at[1] != last {
			t.Errorf("the floor says %v after the cut, %v was acknowledged", f.at[1], last)
		}
	})
}
