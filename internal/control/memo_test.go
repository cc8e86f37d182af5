package control

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// recall gives what the memo has of id in a unit of work that reads.
func recall(t *testing.T, db *DB, m *Memo[string, string], id string, computed *int) string {
	t.Helper()
	var out string
	err := db.Peek(t.Context(), func(_ context.Context, tx *Tx) (err error) {
		out, err = m.Get(tx, id, func() (string, error) {
			*computed++
			v, _, err := tx.Get(testTable, []byte(id))
			return string(v), err
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMemo computes once in each state, and never shows an earlier one.
func TestMemo(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	var m Memo[string, string]
	computed := 0
	for i := range 3 {
		want := fmt.Sprint("value ", i)
		put(t, db, "a", want)
		for range 3 {
			if got := recall(t, db, &m, "a", &computed); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if computed != i+1 {
			t.Errorf("%d computed, want %d", computed, i+1)
		}
	}
	put(t, db, "b", "other")
	if got := recall(t, db, &m, "b", &computed); got != "other" || len(m.values) != 1 {
		t.Errorf("got %q of %v", got, m.values)
	}
}

// TestMemoOfAWriter sees the unit's own effects, which nobody else sees.
func TestMemoOfAWriter(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	put(t, db, "a", "before")
	var m Memo[string, string]
	computed := 0
	err := db.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("a"), []byte("after"))
		for range 2 {
			v, err := m.Get(tx, "a", func() (string, error) {
				v, _, err := tx.Get(testTable, []byte("a"))
				return string(v), err
			})
			if v != "after" || err != nil {
				t.Errorf("the unit sees %q, %v", v, err)
			}
		}
		if got := recall(t, db, &m, "a", &computed); got != "before" {
			t.Errorf("others see %q", got)
		}
		return errors.New("drop it")
	})
	if err == nil || computed != 1 {
		t.Errorf("%v; %d computed", err, computed)
	}
	if got := recall(t, db, &m, "a", &computed); got != "before" || computed != 1 {
		t.Errorf("after the drop: %q, %d computed", got, computed)
	}
}

// TestMemoErrors are not kept, and full memos begin anew.
func TestMemoErrors(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	var m Memo[int, int]
	err := db.Peek(t.Context(), func(_ context.Context, tx *Tx) error {
		for want := range 2 {
			_, err := m.Get(tx, -1, func() (int, error) {
				if want == 0 {
					return 0, errors.New("not now")
				}
				return 1, nil
			})
			if (err == nil) != (want == 1) {
				t.Errorf("attempt %d: %v", want, err)
			}
		}
		for i := range maxMemo + 10 {
			if v, err := m.Get(tx, i, func() (int, error) { return i, nil }); v != i || err != nil {
				t.Errorf("%d is %d, %v", i, v, err)
			}
		}
		return nil
	})
	if err != nil || len(m.values) > maxMemo {
		t.Errorf("%d values, %v", len(m.values), err)
	}
}

// during calls fn while a batch is on its way into the shard.
type during struct {
	store.Shard
	fn func()
}

func (d *during) Propose(b *store.Batch, done func(store.Position, error)) {
	if d.fn != nil {
		d.fn()
	}
	d.Shard.Propose(b, done)
	if d.fn != nil {
		d.fn()
	}
}

// TestMemoDuringACommit: nobody knows whether a snapshot shows a batch that is on its way.
func TestMemoDuringACommit(t *testing.T) {
	t.Parallel()
	shard := &during{Shard: openShard(t, memory.New(memory.Config{Shards: 2}))}
	db, err := Open(t.Context(), shard, testRoot(1), Config{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", "before")
	var m Memo[string, string]
	computed := 0
	recall(t, db, &m, "a", &computed)
	var seen []string
	shard.fn = func() { seen = append(seen, recall(t, db, &m, "a", &computed)) }
	put(t, db, "a", "after")
	shard.fn = nil
	if computed != 3 || len(seen) != 2 || seen[0] != "before" || seen[1] != "after" {
		t.Errorf("%d computed, seen %q", computed, seen)
	}
	if got := recall(t, db, &m, "a", &computed); got != "after" || computed != 4 {
		t.Errorf("then %q, %d computed", got, computed)
	}
}
