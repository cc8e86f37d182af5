package control

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"coffer/internal/store"
)

// checked gives the rows that a check finds damaged.
func checked(t *testing.T, s store.Shard, whole int64) (rows []string) {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	i, err := Inspect(snap, testRoot(1))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	n, err := i.Check(t.Context(), nil, func(row string, err error) {
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", row, err)
		}
		rows = append(rows, row)
	})
	if err != nil || n != whole {
		t.Errorf("%d rows, want %d; %v", n, whole, err)
	}
	return rows
}

// TestInspect reads a state, and one in which each row in turn is damaged or of
// another place.
func TestInspect(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	put(t, db, "one", "first")
	put(t, db, "two", "second")
	s := openShard(t, e)
	if got := checked(t, s, 5); len(got) > 0 {
		t.Errorf("a whole state: %q", got)
	}
	snap := s.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	rows := map[string][]byte{}
	for it.Next() {
		rows[string(it.Key())] = bytes.Clone(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	other := rows[string(testTable.key([]byte("two")))]
	for key, value := range rows {
		if key == string(keyRoot) {
			continue // below
		}
		flipped := bytes.Clone(value)
		flipped[len(flipped)-1] ^= 1
		for _, wrong := range [][]byte{flipped, value[:len(value)-1], {}, other} {
			if bytes.Equal(wrong, value) {
				continue
			}
			set(t, s, key, wrong)
			want := []string{name([]byte(key))}
			if got := checked(t, s, 5); !slices.Equal(got, want) {
				t.Errorf("%x: found %q", key, got)
			}
		}
		set(t, s, key, value)
	}
	for _, c := range []struct {
		row  []byte
		root byte
		want error
	}{
		{rows[string(keyRoot)], 2, ErrRootKey}, {other, 1, store.ErrDamaged},
		{nil, 1, store.ErrDamaged},
	} {
		set(t, s, string(keyRoot), c.row)
		snap := s.Snapshot()
		if _, err := Inspect(snap, testRoot(c.root)); !errors.Is(err, c.want) {
			t.Errorf("root row %x: %v, want %v", c.row, err, c.want)
		}
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}
}

// set writes a row past the unit of work; nil removes it.
func set(t *testing.T, s store.Shard, key string, value []byte) {
	t.Helper()
	var b store.Batch
	if b.Set([]byte(key), value); value == nil {
		b.Delete([]byte(key))
	}
	done := make(chan error, 1)
	s.Propose(&b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
