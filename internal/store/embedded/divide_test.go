package embedded

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

// TestDivide adds to two long queues before each of two flushes: none of their tables has
// keys of anything else, and so those that come lie beside those that are there.
func TestDivide(t *testing.T) {
	t.Parallel()
	e, err := Open(Config{Dir: "/store", FS: storetest.NewDisk(), Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		b, done := new(store.Batch), make(chan error, 1)
		for queue, size := range map[string]int{
			"1st small": 200, "2nd large": largeGroup / 2,
			"3rd large": largeGroup / 2, "4th small": 200,
		} {
			for i := range 4 {
				b.Set(fmt.Appendf(nil, "%s%d%d", queue, round, i), make([]byte, size))
			}
		}
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := e.flusher.flush(); err != nil {
			t.Fatal(err)
		}
	}
	levels, err := e.db.SSTables()
	if err != nil {
		t.Fatal(err)
	}
	large := 0
	for level, tables := range levels {
		for _, table := range tables {
			if table.Size < largeGroup {
				continue
			}
			large++
			first := table.Smallest.UserKey
			if level == 0 || !bytes.HasPrefix(table.Largest.UserKey, first[:prefixLen+groupBytes]) {
				t.Errorf("level %d: a table of %d bytes from %q to %q",
					level, table.Size, first, table.Largest.UserKey)
			}
		}
	}
	if large != 4 {
		t.Errorf("%d large tables", large)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
