package audit

import (
	"bytes"
	"errors"
	"testing"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// TestCheck finds each row of the last shard that is damaged, missing, or of
// another place.
func TestCheck(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	for n := range 3 {
		add(t, l, event(n, testTime(int64(n))), false)
	}
	l.Close()
	s, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	base, err := e.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	zero := base.Snapshot()
	defer zero.Close()
	state, err := control.Inspect(zero, bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	found := func() (n int) {
		t.Helper()
		snap := s.Snapshot()
		defer snap.Close()
		_, err := Check(t.Context(), state, snap, 1, func(row string, err error) {
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s: %v", row, err)
			}
			n++
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	set := func(key, value []byte) { overwrite(t, s, key, value) }
	if n := found(); n > 0 {
		t.Errorf("a whole trail: %d rows are damaged", n)
	}
	snap := s.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	rows := 0
	for ; it.Next(); rows++ {
		key, value := bytes.Clone(it.Key()), append([]byte{}, it.Value()...)
		for _, wrong := range [][]byte{nil, append(bytes.Clone(value), 1)} {
			set(key, wrong)
			if found() == 0 {
				t.Errorf("%x as %x is not found", key, wrong)
			}
			set(key, value)
		}
		moved := bytes.Clone(key)
		moved[len(moved)-1] ^= 0x10 // no row's
		set(moved, value)
		if found() == 0 {
			t.Errorf("%x beside %x is not found", moved, key)
		}
		set(moved, nil)
	}
	if err := it.Close(); err != nil || rows < 12 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if n := found(); n > 0 {
		t.Errorf("put back as it was: %d rows are damaged", n)
	}
}

// overwrite writes a row past the trail; nil removes it.
func overwrite(t *testing.T, s store.Shard, key, value []byte) {
	t.Helper()
	var b store.Batch
	if b.Set(key, value); value == nil {
		b.Delete(key)
	}
	done := make(chan error, 1)
	s.Propose(&b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
