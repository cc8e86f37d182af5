package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/store/memory"
)

// model is what a table must hold: a plain map, copied where a Tx marks a
// savepoint.
type model map[string]string

// between lists the pairs with lower <= id < upper in order; an empty upper
// means no bound.
func (m model) between(lower, upper string) (pairs []string) {
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if id >= lower && (upper == "" || id < upper) {
			pairs = append(pairs, id+"="+m[id])
		}
	}
	return pairs
}

func (m model) prefixed(prefix string) (pairs []string) {
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(id, prefix) {
			pairs = append(pairs, id+"="+m[id])
		}
	}
	return pairs
}

// ids are few and share prefixes, with the bytes at which prefixes end.
func ids() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3),
		func(b []byte) string { return string(b) })
}

func collect(to *[]string) func(id, value []byte) error {
	return func(id, value []byte) error {
		*to = append(*to, string(id)+"="+string(value))
		return nil
	}
}

// unit makes random steps in one unit of work and gives the model after them.
func unit(t *rapid.T, db *DB, ctx context.Context, tx *Tx, m model, depth int) model {
	m = maps.Clone(m)
	for range rapid.IntRange(0, 8).Draw(t, "steps") {
		id := ids().Draw(t, "id")
		switch rapid.IntRange(0, 7).Draw(t, "step") {
		case 0, 1:
			value := rapid.StringN(0, 4, -1).Draw(t, "value")
			tx.Put(testTable, []byte(id), []byte(value))
			m[id] = value
		case 2:
			tx.Delete(testTable, []byte(id))
			delete(m, id)
		case 3:
			v, ok, err := tx.Get(testTable, []byte(id))
			want, has := m[id]
			if err != nil || ok != has || string(v) != want {
				t.Fatalf("get %q: %q, %v, %v; want %q, %v", id, v, ok, err, want, has)
			}
		case 4:
			compare(t, tx, m, id, ids().Draw(t, "upper"))
		case 5:
			before, s := maps.Clone(m), tx.Savepoint()
			m = unit(t, db, ctx, tx, m, depth+3)
			if rapid.Bool().Draw(t, "rollback") {
				tx.Rollback(s)
				m = before
			}
		case 6:
			if depth < 3 {
				m = nested(t, db, ctx, m, depth)
			}
		case 7:
			drain(t, tx, m, id)
		}
	}
	return m
}

// nested joins a part that may fail, be it after parts of its own.
func nested(t *rapid.T, db *DB, ctx context.Context, m model, depth int) model {
	after := m
	fail := rapid.Bool().Draw(t, "fail")
	err := db.Update(ctx, func(ctx context.Context, tx *Tx) error {
		after = unit(t, db, ctx, tx, m, depth+1)
		if fail {
			return errTest
		}
		return nil
	})
	if (err != nil) != fail {
		t.Fatalf("joined part: %v", err)
	}
	if fail {
		return m
	}
	return after
}

// drain deletes what a scan gives while it runs.
func drain(t *rapid.T, tx *Tx, m model, prefix string) {
	var got []string
	want := m.prefixed(prefix)
	err := tx.Scan(testTable, []byte(prefix), func(id, value []byte) error {
		got = append(got, string(id)+"="+string(value))
		tx.Delete(testTable, id)
		delete(m, string(id))
		clear(id) // the slices are the callee's
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("draining scan %q: %q, %v; want %q", prefix, got, err, want)
	}
}

func compare(t *rapid.T, tx *Tx, m model, lower, upper string) {
	var got []string
	bound := []byte(upper)
	if upper == "" {
		bound = nil
	}
	err := tx.Range(testTable, []byte(lower), bound, collect(&got))
	if want := m.between(lower, upper); err != nil || !slices.Equal(got, want) {
		t.Fatalf("range %q to %q: %q, %v; want %q", lower, upper, got, err, want)
	}
	got = nil
	err = tx.Scan(testTable, []byte(lower), collect(&got))
	if want := m.prefixed(lower); err != nil || !slices.Equal(got, want) {
		t.Fatalf("scan %q: %q, %v; want %q", lower, got, err, want)
	}
	got = nil
	err = tx.Scan(testTable, []byte(lower), func(id, value []byte) error {
		got = append(got, string(id))
		return fmt.Errorf("wrapped: %w", ErrStop)
	})
	if err != nil || len(got) > 1 {
		t.Fatalf("stopped scan: %q, %v", got, err)
	}
}

// TestModel compares a DB with a map over random units of work, failing and
// joined ones among them, and over restarts.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		e := memory.New(memory.Config{Shards: 1})
		db := openDB(t, e)
		for _, neighbour := range []Table{testTable - 1, testTable + 1} {
			err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
				tx.Put(neighbour, nil, []byte("other table"))
				tx.Put(neighbour, []byte{0xff}, []byte("other table"))
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		m := model{}
		for range rapid.IntRange(1, 5).Draw(rt, "units") {
			after, fail := m, rapid.IntRange(0, 3).Draw(rt, "outcome") == 0
			err := db.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
				after = unit(rt, db, ctx, tx, m, 0)
				if fail {
					return errTest
				}
				return nil
			})
			if (err != nil) != fail {
				rt.Fatalf("update: %v", err)
			}
			if !fail {
				m = after
			}
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				db = openDB(t, e)
			}
			err = db.View(t.Context(), func(_ context.Context, tx *Tx) error {
				compare(rt, tx, m, "", "")
				compare(rt, tx, m, "a", "b")
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
	})
}
