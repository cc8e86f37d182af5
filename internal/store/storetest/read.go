package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"coffer/internal/store"
)

func snapshotIsStill(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	b := write("a", "1")
	b.Set([]byte("b"), []byte("1"))
	b.Set([]byte("c"), []byte("1"))
	commit(t, s, b)
	snap := s.Snapshot()
	defer closed(t, snap)
	it := snap.Iter(nil, nil)
	defer it.Close()
	it.Next()

	b = write("a", "2")
	b.Delete([]byte("b"))
	b.DeleteRange([]byte("c"), []byte("d"))
	b.Set([]byte("d"), []byte("2"))
	commit(t, s, b)
	if !it.Next() || string(it.Key()) != "b" {
		t.Errorf("an iterator of a snapshot lost a key to a later batch")
	}
	want := []string{`"a"="1"`, `"b"="1"`, `"c"="1"`}
	if got := content(t, snap, nil, nil); !slices.Equal(got, want) {
		t.Errorf("the snapshot shows %v, want %v", got, want)
	}
	if v, ok, err := snap.Get([]byte("a")); string(v) != "1" || !ok || err != nil {
		t.Errorf("get from the snapshot: %q, %v, %v", v, ok, err)
	}
	look(t, s, func(now store.Snapshot) {
		want := []string{`"a"="2"`, `"d"="2"`}
		if got := content(t, now, nil, nil); !slices.Equal(got, want) {
			t.Errorf("a new snapshot shows %v, want %v", got, want)
		}
		if !snap.Position().Less(now.Position()) {
			t.Errorf("the snapshots stand at %v and %v", snap.Position(), now.Position())
		}
	})
}

func snapshotKnowsPosition(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	start := s.Durable()
	var wg, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				durable := s.Durable()
				snap := s.Snapshot()
				n, pos := marked(t, snap), snap.Position()
				if pos.Index-start.Index != n || pos.Less(durable) {
					t.Errorf("a snapshot at %v shows batch %d; %v was durable", pos, n, durable)
				}
				closed(t, snap)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	var l ledger
	for n := range uint64(200) {
		s.Propose(mark(n+1), l.done(int(n), &wg))
	}
	wg.Wait()
	close(stop)
	readers.Wait()
}

func valueIsOwned(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	commit(t, s, write("a", "value"))
	look(t, s, func(snap store.Snapshot) {
		v, _, err := snap.Get([]byte("a"))
		if err != nil || string(v) != "value" {
			t.Fatalf("get: %q, %v", v, err)
		}
		copy(v, "XXXXX")
		if v, _, _ := snap.Get([]byte("a")); string(v) != "value" {
			t.Errorf("the reader changed the store: %q", v)
		}
	})
}

func iteratorBounds(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	b := new(store.Batch)
	for _, k := range []string{"", "a", "a\x00", "b", "\xff", "\xff\xff"} {
		b.Set([]byte(k), []byte("v"))
	}
	commit(t, s, b)
	for _, c := range []struct {
		lower, upper []byte
		want         string
	}{
		{nil, nil, `["" "a" "a\x00" "b" "\xff" "\xff\xff"]`},
		{[]byte("a"), nil, `["a" "a\x00" "b" "\xff" "\xff\xff"]`},
		{nil, []byte("a"), `[""]`},
		{nil, []byte{}, `[]`},
		{[]byte{}, []byte("a\x00"), `["" "a"]`},
		{[]byte("a"), []byte("b"), `["a" "a\x00"]`},
		{[]byte("aa"), []byte("b"), `[]`},
		{[]byte("b"), []byte("b"), `[]`},
		{[]byte("b"), []byte("a"), `[]`},
		{[]byte("\xff"), nil, `["\xff" "\xff\xff"]`},
		{[]byte("\xff\xff\xff"), nil, `[]`},
	} {
		look(t, s, func(snap store.Snapshot) {
			it := snap.Iter(c.lower, c.upper)
			keys := []string{}
			for it.Next() {
				keys = append(keys, string(it.Key()))
			}
			if it.Next() {
				t.Errorf("from %q to %q: a key after the end", c.lower, c.upper)
			}
			if got := fmt.Sprintf("%q", keys); got != c.want || it.Err() != nil {
				t.Errorf("from %q to %q: %s, %v, want %s", c.lower, c.upper, got, it.Err(), c.want)
			}
			if err := it.Close(); err != nil {
				t.Errorf("close iterator: %v", err)
			}
		})
	}
}

func shardsAreApart(t testing.TB, open Opener) {
	e := open(t)
	ids := e.Shards()
	if len(ids) < 3 || !slices.IsSorted(ids) || ids[0] != 0 {
		t.Fatalf("shards are %v, want at least three from 0", ids)
	}
	shards := make([]store.Shard, len(ids))
	for i, id := range ids {
		shards[i] = own(t, e, id)
		b := write("key", fmt.Sprint(id))
		b.Set([]byte("\xff\xff\xff\xff"), []byte("v"))
		b.Set(nil, []byte("v"))
		commit(t, shards[i], b)
	}
	before := shards[0].Durable()
	b := new(store.Batch)
	b.DeleteRange(nil, []byte("\xff\xff\xff\xff\xff"))
	commit(t, shards[1], b)
	if shards[0].Durable() != before {
		t.Errorf("a batch of shard 1 moved shard 0 to %v", shards[0].Durable())
	}
	for i, id := range ids {
		want := []string{`""="v"`, fmt.Sprintf(`"key"="%d"`, id), `"\xff\xff\xff\xff"="v"`}
		if id == 1 {
			want = nil
		}
		look(t, shards[i], func(snap store.Snapshot) {
			if got := content(t, snap, nil, nil); !slices.Equal(got, want) {
				t.Errorf("shard %d has %v, want %v", id, got, want)
			}
		})
	}
}
