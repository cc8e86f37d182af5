package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
	"coffer/internal/store/storetest"
)

// TestStrangeRecords: a record of the log, whole in itself, that does not go on where
// the shard was, or is no batch at all, is damage.
func TestStrangeRecords(t *testing.T) {
	t.Parallel()
	b := new(store.Batch)
	b.Set([]byte("key"), []byte("value"))
	record := func(id store.ShardID, pos store.Position) []byte {
		text := make([]byte, recordSize(b))
		putRecord(text, id, pos, b)
		return text
	}
	next := store.Position{Epoch: 1, Index: 6}
	whole := record(1, next)
	for name, c := range map[string]struct {
		text []byte
		ok   bool
	}{
		"the next batch":      {whole, true},
		"an ownership":        {record(1, store.Position{Epoch: 2, Index: 5})[:recordHead], true},
		"a gap":               {record(1, store.Position{Epoch: 1, Index: 7}), false},
		"a batch again":       {record(1, store.Position{Epoch: 1, Index: 5}), false},
		"another shard":       {record(3, next), false},
		"less than a head":    {whole[:recordHead-1], false},
		"less than an effect": {whole[:recordHead+3], false},
		"less than a value":   {whole[:len(whole)-1], false},
		"a strange effect":    {bytes.Replace(whole, []byte{1, 0, 3}, []byte{9, 0, 3}, 1), false},
	} {
		disk := storetest.NewDisk()
		e, err := aged(disk, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		grow(t, e, 5)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		cfg := e.logConfig(disk)
		end, err := seglog.Scan(cfg, 1, func(seglog.Record) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		log, err := seglog.Open(cfg, end)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := log.Append(len(c.text), func(dst []byte) { copy(dst, c.text) })
		if err := errors.Join(err, log.Wait(ref), log.Close()); err != nil {
			t.Fatal(err)
		}
		r := &recovered{disk: make([]store.Position, 3), from: 1}
		err = e.replay(r)
		if (err == nil) != c.ok || err != nil && (!errors.Is(err, store.ErrDamaged) ||
			!strings.Contains(err.Error(), "/store/log/")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedValue: what the log does not hold any more as it was written is not served,
// nor after a flush and a start, and keeps nothing else from being served. Its file is set
// aside before the log uses it again.
func TestDamagedValue(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	e, err := aged(disk, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, e, 5)
	s, err := e.Open(context.Background(), 1) // waits for them
	if err != nil {
		t.Fatal(err)
	}
	damaged := spoil(t, disk, e.segment(1))
	withoutThird(t, s, "in the log", e.segment(1))
	for range 3 { // the file is used again
		if err := e.flusher.flush(); err != nil {
			t.Fatal(err)
		}
		withoutThird(t, s, "in a table", "lost")
	}
	if kept := e.Damaged(); len(kept) != 1 {
		t.Errorf("set aside: %q", kept)
	} else if text, _ := readFile(disk, kept[0], 1<<20); !bytes.Equal(text, damaged) {
		t.Errorf("%s is not what the log was", kept[0])
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if e, err = aged(disk, io.Discard); err != nil {
		t.Fatal(err)
	}
	if s, err = e.Open(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	withoutThird(t, s, "after a start", "lost")
	grow(t, e, 5)
	if n := count(t, e); n != 5 {
		t.Errorf("%d keys after the value was written again", n)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// spoil changes the value of key003 in a file, and gives what is in that now.
func spoil(t *testing.T, disk vfs.FS, name string) []byte {
	t.Helper()
	text, err := readFile(disk, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, bytes.Repeat([]byte{3}, 1000))
	f, err := disk.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil || at < 0 {
		t.Fatal(at, err)
	}
	_, err = f.WriteAt([]byte{4}, int64(at+500))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	text[at+500] = 4
	return text
}

// withoutThird reads what grow wrote, of which key003 must be damaged for a reason.
func withoutThird(t *testing.T, s store.Shard, when, why string) {
	t.Helper()
	snap := s.Snapshot()
	_, ok, err := snap.Get([]byte("key003"))
	if ok || !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: a read: %v", when, err)
	}
	it := snap.Iter(nil, nil)
	n := 0
	for it.Next() {
		n++
	}
	if err := it.Close(); n != 3 || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%s: %d keys before it, %v", when, n, err)
	}
	if v, ok, err := snap.Get([]byte("key004")); err != nil || !ok || len(v) != 1000 {
		t.Errorf("%s: another key: %v", when, err)
	}
	if err := snap.Close(); err != nil {
		t.Error(err)
	}
}

// TestLittleBatches: groups that are little take a page of the log each, and count for
// that.
func TestLittleBatches(t *testing.T) {
	t.Parallel()
	e, err := aged(storetest.NewDisk(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	e.flusher.flushing.Lock() // none begins
	most := int(e.cfg.FlushBytes/4096) + segments
	for n := 0; !e.flusher.full(); n++ {
		if n > most {
			t.Fatalf("%d batches, and no flush is due", n)
		}
		b, done := new(store.Batch), make(chan error, 1)
		b.Set([]byte("key"), []byte("value"))
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	e.flusher.flushing.Unlock()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
