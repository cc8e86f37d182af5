package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"coffer/internal/store"
)

func settleInOrder(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	start := s.Durable()
	var l ledger
	var wg sync.WaitGroup
	const batches = 200
	for n := range batches {
		s.Propose(mark(uint64(n+1)), l.done(n, &wg))
	}
	wg.Wait()
	if len(l.seen) != batches {
		t.Fatalf("%d dones for %d batches", len(l.seen), batches)
	}
	for n, o := range l.all {
		want := store.Position{Epoch: start.Epoch, Index: start.Index + uint64(n) + 1}
		if l.seen[n] != n || o.err != nil || o.pos != want {
			t.Fatalf("done %d was of batch %d: %v, %v, want %v", n, l.seen[n], o.pos, o.err, want)
		}
	}
	if d := s.Durable(); d != l.all[batches-1].pos {
		t.Errorf("durable is %v after the last done at %v", d, l.all[batches-1].pos)
	}
	look(t, s, func(snap store.Snapshot) {
		if n := marked(t, snap); n != batches {
			t.Errorf("the last batch left %d, want %d", n, batches)
		}
	})
}

func laterEffectWins(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	b := new(store.Batch)
	b.Set([]byte("a"), []byte("1"))
	b.Set([]byte("a"), []byte("2"))
	b.SetJoined([]byte("b"), []byte("1"), []byte("2"))
	b.Delete([]byte("b"))
	b.Set([]byte("c"), []byte("1"))
	b.DeleteRange([]byte("c"), []byte("d"))
	b.DeleteRange([]byte("d"), []byte("e"))
	b.SetJoined([]byte("d"), []byte("3"), []byte("4"))
	b.SetJoined([]byte("e"), nil, []byte("5"))
	b.Delete([]byte("missing"))
	b.Set(nil, nil)
	commit(t, s, b)
	look(t, s, func(snap store.Snapshot) {
		want := []string{`""=""`, `"a"="2"`, `"d"="34"`, `"e"="5"`}
		if got := content(t, snap, nil, nil); !slices.Equal(got, want) {
			t.Errorf("content is %v, want %v", got, want)
		}
	})
}

// sortedMap is the model of a shard: what the contract says, said in the
// plainest way.
type sortedMap map[string]string

func (m sortedMap) apply(ops []store.Op) {
	for _, op := range ops {
		switch op.Kind {
		case store.OpSet, store.OpInsert:
			m[string(op.Key)] = string(op.Value) + string(op.Tail)
		case store.OpDelete:
			delete(m, string(op.Key))
		case store.OpDeleteRange:
			for k := range m {
				if string(op.Key) <= k && k < string(op.Value) {
					delete(m, k)
				}
			}
		}
	}
}

func (m sortedMap) content(lower, upper []byte) []string {
	var keys []string
	for k := range m {
		if k >= string(lower) && (upper == nil || k < string(upper)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%q=%q", k, m[k])
	}
	return keys
}

// randomKey gives a short key out of few, so that effects meet.
func randomKey(r *rand.Rand) []byte {
	key := make([]byte, r.IntN(4))
	for i := range key {
		key[i] = []byte{0, 'a', 'b', 0xff}[r.IntN(4)]
	}
	return key
}

// randomBatch gives a batch for a shard whose content is that of the model, to which it
// applies it.
func randomBatch(r *rand.Rand, model sortedMap) *store.Batch {
	b := new(store.Batch)
	for range r.IntN(8) {
		at := b.Len()
		switch r.IntN(4) {
		case 0, 1:
			key, value := randomKey(r), fmt.Append(nil, r.IntN(1000))
			if _, ok := model[string(key)]; ok {
				b.Set(key, value)
			} else {
				b.InsertJoined(key, value[:1], value[1:])
			}
		case 2:
			b.Delete(randomKey(r))
		case 3:
			b.DeleteRange(randomKey(r), randomKey(r))
		}
		model.apply(b.Ops()[at:])
	}
	return b
}

func likeSortedMap(t testing.TB, open Opener) {
	s := own(t, open(t), 2)
	r := rand.New(rand.NewPCG(1, 2))
	model := sortedMap{}
	for round := range 300 {
		commit(t, s, randomBatch(r, model))
		lower, upper := randomKey(r), randomKey(r)
		if round%3 == 0 {
			lower, upper = nil, nil
		}
		look(t, s, func(snap store.Snapshot) {
			got, want := content(t, snap, lower, upper), model.content(lower, upper)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d from %q to %q: %v, want %v", round, lower, upper, got, want)
			}
			key := randomKey(r)
			v, ok, err := snap.Get(key)
			if want, there := model[string(key)]; err != nil || ok != there || string(v) != want {
				t.Fatalf("round %d: get %q: %q, %v, %v, want %q", round, key, v, ok, err, want)
			}
		})
	}
}

func batchIsCopied(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	key, value := []byte("key"), []byte("value")
	b := new(store.Batch)
	b.Set(key, value)
	key[0], value[0] = 'X', 'X'
	commit(t, s, b)
	b.Reset()
	b.Set([]byte("XXXXXXXX"), []byte("XXXXXXXX"))
	look(t, s, func(snap store.Snapshot) {
		want := []string{`"key"="value"`}
		if got := content(t, snap, nil, nil); !slices.Equal(got, want) {
			t.Errorf("content is %v, want %v", got, want)
		}
	})
}

// spread is a batch that sets k0 to k9 to the same number.
func spread(n uint64) *store.Batch {
	b := new(store.Batch)
	for i := range 10 {
		b.Set(fmt.Append(nil, "k", i), binary.BigEndian.AppendUint64(nil, n))
	}
	return b
}

// even fails the test unless a snapshot shows one number in all of k0 to k9.
func even(t testing.TB, s store.Snapshot) {
	t.Helper()
	it := s.Iter([]byte("k"), []byte("l"))
	defer it.Close()
	var first []byte
	keys := 0
	for ; it.Next(); keys++ {
		if first == nil {
			first = bytes.Clone(it.Value())
		}
		if !bytes.Equal(first, it.Value()) {
			t.Fatalf("half of a batch: %x beside %x", first, it.Value())
		}
	}
	if err := it.Err(); err != nil {
		t.Fatalf("iterate: %v", err)
	}
	if keys != 0 && keys != 10 {
		t.Fatalf("part of a batch: %d keys of 10", keys)
	}
}

func batchesAreAtomic(t testing.TB, open Opener) {
	e := open(t)
	s := own(t, e, 1)
	var wg sync.WaitGroup
	var l ledger
	var images []func(testing.TB) store.Engine
	for n := range uint64(100) {
		s.Propose(spread(n+1), l.done(int(n), &wg))
		look(t, s, func(snap store.Snapshot) { even(t, snap) })
		if e.Image != nil && n%10 == 0 {
			images = append(images, e.Image())
		}
	}
	wg.Wait()
	for _, image := range images {
		look(t, own(t, image(t), 1), func(snap store.Snapshot) { even(t, snap) })
	}
}

func manyProposers(t testing.TB, open Opener) {
	e := open(t)
	s := own(t, e, 1)
	const proposers, each = 8, 25
	var l ledger
	var wg, running sync.WaitGroup
	for p := range proposers {
		running.Go(func() {
			for i := range each {
				b := write(fmt.Sprint("p", p), fmt.Sprint(i))
				b.Set(fmt.Append(nil, "all/", p, "/", i), nil)
				s.Propose(b, l.done(p*each+i, &wg))
			}
		})
	}
	running.Wait()
	wg.Wait()
	next := make([]int, proposers)
	for n, o := range l.all {
		p, i := l.seen[n]/each, l.seen[n]%each
		if o.err != nil || i != next[p] || n > 0 && !l.all[n-1].pos.Less(o.pos) {
			t.Fatalf("done %d: batch %d of proposer %d at %v, %v", n, i, p, o.pos, o.err)
		}
		next[p]++
	}
	look(t, s, func(snap store.Snapshot) {
		if n := len(content(t, snap, []byte("all/"), []byte("all0"))); n != proposers*each {
			t.Errorf("%d batches of %d are there", n, proposers*each)
		}
		for p := range proposers {
			v, _, _ := snap.Get(fmt.Append(nil, "p", p))
			if string(v) != fmt.Sprint(each-1) {
				t.Errorf("proposer %d ended at %s", p, v)
			}
		}
	})
}
