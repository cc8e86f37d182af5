package control

import (
	"bytes"
	"context"
	"testing"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const testTable = TableKey

func testRoot(fill byte) seal.Secret { return bytes.Repeat([]byte{fill}, seal.KeySize) }

func openShard(t testing.TB, e store.Engine) store.Shard {
	t.Helper()
	s, err := e.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openDB(t testing.TB, e store.Engine) *DB {
	t.Helper()
	db, err := Open(t.Context(), openShard(t, e), testRoot(1), Config{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newDB(t testing.TB) (*DB, *memory.Engine) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 2})
	return openDB(t, e), e
}

func put(t testing.TB, db *DB, id, value string) {
	t.Helper()
	err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
		tx.Put(testTable, []byte(id), []byte(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, db *DB, id string) (value string, ok bool) {
	t.Helper()
	err := db.View(t.Context(), func(_ context.Context, tx *Tx) error {
		v, found, err := tx.Get(testTable, []byte(id))
		value, ok = string(v), found
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, ok
}

// contents gives every pair of a shard as it is stored.
func contents(t testing.TB, s store.Shard) map[string]string {
	t.Helper()
	snap := s.Snapshot()
	it := snap.Iter(nil, nil)
	all := map[string]string{}
	for it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	if it.Err() != nil || it.Close() != nil || snap.Close() != nil {
		t.Fatal("reading the shard failed")
	}
	return all
}

// overwrite sets one stored value behind the DB's back.
func overwrite(t testing.TB, s store.Shard, key string, value []byte) {
	t.Helper()
	var b store.Batch
	b.Set([]byte(key), value)
	done := make(chan error, 1)
	s.Propose(&b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// within fails the test when what takes longer than any machine needs.
func within(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: still waiting", what)
	}
}
