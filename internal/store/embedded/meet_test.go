package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"strings"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// TestNothingBehindDamage: behind what cannot be read, what is in memory is not shown
// either. Who reads only so far would take it for the next.
func TestNothingBehindDamage(t *testing.T) {
	t.Parallel()
	disk, _ := flipped(t)
	e := openTold(t, disk, newTold())
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	propose(t, s, func(b *store.Batch) { b.Set([]byte("z"), []byte("in memory")) })
	snap := s.Snapshot()
	it := snap.Iter(nil, nil)
	for it.Next() {
		if string(it.Key()) == "z" {
			t.Error("a key behind the damage is shown")
		}
	}
	if err := it.Close(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("the walk ends with %v", err)
	}
	if err := errors.Join(snap.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}

// propose waits for one batch.
func propose(t *testing.T, s store.Shard, fill func(*store.Batch)) {
	t.Helper()
	b, done := new(store.Batch), make(chan error, 1)
	fill(b)
	s.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestFlushMeetsDamage deletes what cannot be read: the flush goes on, and nothing of
// it comes back.
func TestFlushMeetsDamage(t *testing.T) {
	t.Parallel()
	disk, _ := flipped(t)
	e := openTold(t, disk, newTold())
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	propose(t, s, func(b *store.Batch) {
		for i := range byte(32) { // apart, so that each is a range of its own
			b.DeleteRange([]byte{'k', i}, []byte{'k', i, 0})
		}
	})
	if _, err := e.Checkpoint(embedded.CheckpointConfig{}); err != nil { // flushes
		t.Fatal(err)
	}
	snap := s.Snapshot()
	for i := range byte(32) {
		if v, ok, err := snap.Get([]byte{'k', i}); ok || err != nil {
			t.Errorf("key %d is there after its deletion, %d bytes, %v", i, len(v), err)
		}
	}
	if err := errors.Join(snap.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}

// TestIngestMeetsDamage flushes so much that Pebble looks into an older table for the
// places of the new ones, and cannot read it there.
func TestIngestMeetsDamage(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	begin := func() (*embedded.Engine, store.Shard) {
		e, err := embedded.Open(embedded.Config{
			Dir: "/store", FS: disk, Shards: 4, FlushBytes: 256 << 20,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Fatal:  func(err error) { t.Errorf("fatal: %v", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Open(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return e, s
	}
	const keys = 20
	write := func(s store.Shard, tail string, size int) {
		for i := range byte(keys) {
			propose(t, s, func(b *store.Batch) {
				b.Set(append([]byte{'k', i}, tail...), bytes.Repeat([]byte{i}, size))
			})
		}
	}
	e, s := begin()
	write(s, "", 8<<10)
	if _, err := e.Checkpoint(embedded.CheckpointConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	spoilMiddle(t, disk)
	e, s = begin()
	write(s, "later", 1<<20)
	if _, err := e.Checkpoint(embedded.CheckpointConfig{}); err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	for i := range byte(keys) {
		v, ok, err := snap.Get([]byte{'k', i, 'l', 'a', 't', 'e', 'r'})
		if !ok || err != nil || len(v) != 1<<20 {
			t.Errorf("key %d: %d bytes, %v", i, len(v), err)
		}
	}
	if len(e.Damaged()) == 0 {
		t.Error("nothing was damaged where Pebble looked")
	}
	if err := errors.Join(snap.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}

// spoilMiddle flips a bit in each block of the middle of the one table.
func spoilMiddle(t *testing.T, disk *storetest.Disk) {
	t.Helper()
	names, err := disk.List("/store/data")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		tables++
		name = path.Join("/store/data", name)
		text := readFile(t, disk, name)
		for at := len(text) / 4; at < len(text)*3/4; at += 8 << 10 {
			text[at] ^= 1
		}
		writeFile(t, disk, name, text)
	}
	if tables != 1 {
		t.Fatalf("there are %d tables", tables)
	}
}
