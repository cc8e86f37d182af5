package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"coffer/internal/store"
)

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func secondOwnerFences(t testing.TB, open Opener) {
	e := open(t)
	first := own(t, e, 1)
	var wg sync.WaitGroup
	var before, after ledger
	for n := range 10 {
		first.Propose(mark(uint64(n+1)), before.done(n, &wg))
	}
	if isClosed(first.Lost()) {
		t.Fatal("lost without a second owner")
	}
	second := own(t, e, 1)
	if !isClosed(first.Lost()) || isClosed(second.Lost()) {
		t.Fatal("the wrong owner is lost")
	}
	for n := range 5 {
		first.Propose(mark(uint64(1000+n)), after.done(n, &wg))
	}
	pos := commit(t, second, write("second", "here"))
	wg.Wait()
	for n, o := range before.all {
		if o.err != nil {
			t.Errorf("batch %d before the second owner: %v", n, o.err)
		}
	}
	if len(after.all) != 5 || !slices.IsSorted(after.seen) {
		t.Errorf("batches of the fenced owner settled as %v", after.seen)
	}
	for n, o := range after.all {
		if !errors.Is(o.err, store.ErrLost) || o.pos != (store.Position{}) {
			t.Errorf("batch %d of the fenced owner: %v, %v", n, o.pos, o.err)
		}
	}
	if last := before.all[len(before.all)-1].pos; pos.Epoch <= last.Epoch {
		t.Errorf("the second owner writes at %v after %v", pos, last)
	}
	look(t, second, func(snap store.Snapshot) {
		if n := marked(t, snap); n != 10 {
			t.Errorf("the fenced owner left %d, want 10", n)
		}
	})
}

func positionsGrow(t testing.TB, open Opener) {
	e := open(t)
	var last store.Position
	for round := range 4 {
		s := own(t, e, 2)
		if d := s.Durable(); !last.Less(d) || d.Index != uint64(2*round) {
			t.Fatalf("owner %d begins at %v after %v", round, d, last)
		}
		look(t, s, func(snap store.Snapshot) {
			if pos := snap.Position(); pos != s.Durable() {
				t.Fatalf("owner %d sees %v, durable is %v", round, pos, s.Durable())
			}
		})
		commit(t, s, mark(1))
		last = commit(t, s, new(store.Batch))
		if last != s.Durable() {
			t.Fatalf("durable is %v after %v", s.Durable(), last)
		}
	}
}

func limitsRefuse(t testing.TB, open Opener) {
	over := map[string]func(*store.Batch){
		"key":   func(b *store.Batch) { b.Set(make([]byte, store.MaxKey+1), nil) },
		"range": func(b *store.Batch) { b.DeleteRange(nil, make([]byte, store.MaxKey+1)) },
		"value": func(b *store.Batch) { b.Set(nil, make([]byte, store.MaxValue+1)) },
		"batch": func(b *store.Batch) {
			for range store.MaxBatch/store.MaxValue + 1 {
				b.Set(nil, make([]byte, store.MaxValue))
			}
		},
	}
	e := open(t)
	for name, fill := range over {
		s := own(t, e, 1)
		b := write("refused", name)
		fill(b)
		first, refused, later := propose(s, write("first", name)), propose(s, b),
			propose(s, write("later", name))
		if o := <-first; o.err != nil {
			t.Errorf("%s: the batch before: %v", name, o.err)
		}
		if o := <-refused; !errors.Is(o.err, store.ErrLimit) {
			t.Errorf("%s: over the limit: %v", name, o.err)
		}
		if o := <-later; !errors.Is(o.err, store.ErrLost) {
			t.Errorf("%s: after the first error: %v", name, o.err)
		}
		if !isClosed(s.Lost()) {
			t.Errorf("%s: an owner whose batch was refused keeps the shard", name)
		}
		look(t, own(t, e, 1), func(snap store.Snapshot) {
			want := []string{fmt.Sprintf(`"first"=%q`, name)}
			if got := content(t, snap, nil, nil); !slices.Equal(got, want) {
				t.Errorf("%s: content is %.200v, want %v", name, got, want)
			}
		})
	}
}

func limitsFit(t testing.TB, open Opener) {
	s := own(t, open(t), 1)
	key := bytes.Repeat([]byte{0xff}, store.MaxKey)
	value := bytes.Repeat([]byte("0123456789abcdef"), store.MaxValue/16)
	b := new(store.Batch)
	b.Set(key, value)
	b.Set([]byte("rest"), value[:store.MaxBatch-b.Size()-len("rest")])
	b.DeleteRange(key, key)
	if err := b.Check(); err == nil {
		t.Fatal("the batch should be over its limit by the range")
	}
	b.Reset()
	b.Set(key, value)
	b.Set([]byte("rest"), value[:store.MaxBatch-store.MaxValue-store.MaxKey-len("rest")])
	commit(t, s, b)
	look(t, s, func(snap store.Snapshot) {
		got, ok, err := snap.Get(key)
		if err != nil || !ok || !bytes.Equal(got, value) {
			t.Errorf("get the largest value: %d bytes, %v, %v", len(got), ok, err)
		}
	})
}

func closedTakesNothing(t testing.TB, open Opener) {
	e := open(t)
	s := own(t, e, 1)
	var l ledger
	var wg sync.WaitGroup
	for n := range 4 {
		s.Propose(mark(uint64(n+1)), l.done(n, &wg))
	}
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if len(l.all) != 4 {
		t.Errorf("close returned before %d of 4 dones", 4-len(l.all))
	}
	for n := 4; n < 12; n++ { // more than the bound: none may stay in flight
		s.Propose(mark(uint64(n+1)), l.done(n, &wg))
	}
	wg.Wait()
	if !slices.IsSorted(l.seen) {
		t.Errorf("dones came as %v", l.seen)
	}
	for n, o := range l.all {
		if want := n >= 4; errors.Is(o.err, store.ErrClosed) != want {
			t.Errorf("batch %d: %v", n, o.err)
		}
	}
	if _, err := e.Open(context.Background(), 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("open a shard of a closed engine: %v", err)
	}
	snap := s.Snapshot()
	if _, _, err := snap.Get([]byte("n")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("get from a closed engine: %v", err)
	}
	it := snap.Iter(nil, nil)
	if it.Next() || !errors.Is(it.Err(), store.ErrClosed) {
		t.Errorf("iterate over a closed engine: %v", it.Err())
	}
	closed(t, snap)
	if err := e.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func unknownShard(t testing.TB, open Opener) {
	e := open(t)
	id := store.ShardID(len(e.Shards()))
	if s, err := e.Open(context.Background(), id); err == nil || s != nil {
		t.Errorf("shard %d opened: %v, %v", id, s, err)
	}
}
