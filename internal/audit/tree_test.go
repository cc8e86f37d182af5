package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestEdge grows a tree beside one of package tlog that stores every hash.
func TestEdge(t *testing.T) {
	t.Parallel()
	var e edge
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, i := range indexes {
			list = append(list, all[i])
		}
		return list, nil
	})
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, reader)
		if err != nil || e.root() != want || e.size != uint64(n) {
			t.Fatalf("root of %d leaves: %v, want %v, %v", e.size, e.root(), want, err)
		}
		back, err := parseEdge(e.encode())
		if err != nil || back.root() != want || back.size != e.size {
			t.Fatalf("edge of %d leaves comes back as %v, %v", n, back, err)
		}
		leaf := tlog.RecordHash(fmt.Append(nil, n))
		more, err := tlog.StoredHashesForRecordHash(n, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
		e.add(leaf)
	}
}

func TestLeafHash(t *testing.T) {
	t.Parallel()
	l := NewLeaf([]byte("key"), []byte("text"))
	digest := sha256.Sum256([]byte("text"))
	want := tlog.RecordHash(append([]byte("\x00\x07\x03key"), digest[:]...))
	if got := l.hash(7); got != want {
		t.Errorf("hash %v, want %v", got, want)
	}
}

func FuzzEdge(f *testing.F) {
	var e edge
	for n := range 5 {
		f.Add(e.encode())
		e.add(tlog.Hash{byte(n)})
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEdge(b)
		if err == nil && !bytes.Equal(e.encode(), b) ||
			err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%x: %x, %v", b, e.encode(), err)
		}
		if err == nil {
			e.root()
		}
	})
}

func FuzzLeaves(f *testing.F) {
	f.Add(encodeLeaves([]Leaf{NewLeaf([]byte("a"), nil), NewLeaf([]byte("longer"), []byte("b"))}))
	f.Add([]byte{leafVersion})
	f.Add(append([]byte{leafVersion, 255}, make([]byte, 300)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaves, err := parseLeaves(b)
		if err == nil && !bytes.Equal(encodeLeaves(leaves), b) ||
			err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%x: %v, %v", b, leaves, err)
		}
	})
}

// uproot takes the trees away, as a program that knew none would have left it.
func uproot(t *testing.T, e store.Engine) {
	t.Helper()
	for _, id := range e.Shards() {
		s, err := e.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var b store.Batch
		b.DeleteRange([]byte{0x43}, []byte{0x46})
		done := make(chan error, 1)
		s.Propose(&b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// leafKeys lists the events of both trees in their order.
func leafKeys(t *testing.T, e store.Engine) (keys [2][][]byte, edges [2]edge) {
	t.Helper()
	l := openLog(t, e)
	defer l.Close()
	ends, err := l.ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id := range keys {
		s, err := e.Open(t.Context(), store.ShardID(id))
		if err != nil {
			t.Fatal(err)
		}
		snap := s.Snapshot()
		tree := &Tree{id: store.ShardID(id), sealer: l.db.Platform}
		it := snap.Iter([]byte{0x43}, []byte{0x44})
		for it.Next() {
			text, err := l.db.Platform().OpenBox(nil, boxAAD(tree.id, it.Key()), it.Value())
			if err != nil {
				t.Fatal(err)
			}
			leaves, err := parseLeaves(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range leaves {
				keys[id] = append(keys[id], l.key)
				edges[id].add(l.hash(tree.id))
			}
		}
		if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
			t.Fatal(err)
		}
		end, size := ends[tree.id], edges[id].size
		if end.size != size || end.root() != edges[id].root() {
			t.Errorf("shard %d: the edge is of %d leaves, there are %d", id, end.size, size)
		}
	}
	return keys, edges
}

// TestPlant: events from before the trees are their first leaves, the oldest first,
// whatever a crash left of an earlier attempt; what comes later follows.
func TestPlant(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 2})
	l := openLog(t, e)
	const old = 1100
	for n := range old {
		add(t, l, event(n, testTime(int64(n*7919%old))), n%2 == 0)
	}
	l.Close()
	_, grown := leafKeys(t, e)
	uproot(t, e)
	s, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, s, leafRow(512), []byte("of an attempt before"))
	keys, planted := leafKeys(t, e)
	for id := range keys {
		oldest := slices.IsSortedFunc(keys[id], func(a, b []byte) int {
			return placeTime(a).Compare(placeTime(b))
		})
		if !oldest || len(keys[id]) != old/2 || planted[id].root() == grown[id].root() {
			t.Errorf("shard %d: %d leaves, the oldest first: %v", id, len(keys[id]), oldest)
		}
	}
	l = openLog(t, e)
	add(t, l, event(old, testTime(0)), true)
	add(t, l, event(old+1, testTime(0)), false)
	l.Close()
	more, _ := leafKeys(t, e)
	for id := range more {
		n := len(keys[id])
		if len(more[id]) != n+1 || !slices.EqualFunc(more[id][:n], keys[id], bytes.Equal) {
			t.Errorf("shard %d: %d leaves, want one more than %d", id, len(more[id]), n)
		}
	}
}
