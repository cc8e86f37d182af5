package storetest_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// recorder stands in for a test and notes whether it would fail.
type recorder struct {
	testing.TB
	mu  sync.Mutex
	log []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any)    { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Skipf(string, ...any) { runtime.Goexit() }
func (r *recorder) Logf(string, ...any)  {}
func (r *recorder) Helper()              {}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log) > 0
}

// record runs a check as a test of its own and gives what it complained of.
func record(t testing.TB, check func(testing.TB)) []string {
	r := &recorder{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { check(r) })
	wg.Wait()
	return r.log
}

// faulty is an engine whose owners have a fault.
type faulty struct {
	*memory.Engine
	wrap func(store.Shard) store.Shard
}

func (e faulty) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.wrap(s), nil
}

// proposer overrides how a shard takes batches.
type proposer struct {
	store.Shard
	propose func(b *store.Batch, done func(store.Position, error))
}

func (p proposer) Propose(b *store.Batch, done func(store.Position, error)) { p.propose(b, done) }

// doneEarly answers before the batch is durable.
func doneEarly(s store.Shard) store.Shard {
	at := s.Durable()
	var mu sync.Mutex
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		s.Propose(b, nil)
		mu.Lock()
		defer mu.Unlock()
		at.Index++
		done(at, nil)
	}}
}

// doneTwice answers some batches twice.
func doneTwice(s store.Shard) store.Shard {
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		s.Propose(b, func(pos store.Position, err error) {
			done(pos, err)
			if pos.Index == 7 {
				done(pos, err)
			}
		})
	}}
}

// reorder swaps the dones of neighbours.
func reorder(s store.Shard) store.Shard {
	var held func()
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		s.Propose(b, func(pos store.Position, err error) {
			last := held
			held = nil
			if pos.Index%2 == 1 && pos.Index < 200 && err == nil && last == nil {
				held = func() { done(pos, err) }
				return
			}
			done(pos, err)
			if last != nil {
				last()
			}
		})
	}}
}

// tear applies a batch in two halves.
func tear(s store.Shard) store.Shard {
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		halves := [2]store.Batch{}
		for i, op := range b.Ops() {
			half := &halves[2*i/b.Len()]
			switch op.Kind {
			case store.OpSet:
				half.SetJoined(op.Key, op.Value, op.Tail)
			case store.OpDelete:
				half.Delete(op.Key)
			case store.OpDeleteRange:
				half.DeleteRange(op.Key, op.Value)
			}
		}
		s.Propose(&halves[0], nil)
		s.Propose(&halves[1], done)
	}}
}

// forget loses every tenth batch but acknowledges it.
func forget(s store.Shard) store.Shard {
	var n atomic.Int64
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		if n.Add(1)%10 == 0 {
			b = new(store.Batch)
		}
		s.Propose(b, done)
	}}
}

// unbounded takes any number of batches.
func unbounded(s store.Shard) store.Shard {
	last := make(chan struct{})
	close(last)
	return proposer{s, func(b *store.Batch, done func(store.Position, error)) {
		before, after := last, make(chan struct{})
		last = after
		go func() {
			defer close(after)
			<-before
			s.Propose(b, done)
		}()
	}}
}

// runsAhead says that what was proposed is durable.
type runsAhead struct{ store.Shard }

func (s runsAhead) Durable() store.Position {
	snap := s.Snapshot()
	defer snap.Close()
	return snap.Position()
}

// live gives snapshots that follow later batches.
type live struct{ store.Shard }

type liveSnapshot struct {
	store.Snapshot
	shard store.Shard
}

func (s live) Snapshot() store.Snapshot { return liveSnapshot{s.Shard.Snapshot(), s.Shard} }

func (s liveSnapshot) Get(key []byte) ([]byte, bool, error) { return s.shard.Snapshot().Get(key) }
func (s liveSnapshot) Iter(l, u []byte) store.Iterator      { return s.shard.Snapshot().Iter(l, u) }

// neverLost hides that the owner was replaced.
type neverLost struct{ store.Shard }

func (neverLost) Lost() <-chan struct{} { return make(chan struct{}) }

// TestSuiteFindsFaults runs the contract on engines with one fault each: at
// least the named promise must be found broken.
func TestSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	for fault, c := range map[string]struct {
		wrap  func(store.Shard) store.Shard
		found string
	}{
		"done before durable": {doneEarly, "done means durable"},
		"done twice":          {doneTwice, "batches settle in order, once each"},
		"dones out of order":  {reorder, "batches settle in order, once each"},
		"torn batches":        {tear, "batches settle in order, once each"},
		"lost batches":        {forget, "proposers on many goroutines"},
		"unbounded":           {unbounded, "at most the bound is in flight"},
		"durable runs ahead": {func(s store.Shard) store.Shard { return runsAhead{s} },
			"durable does not run ahead"},
		"living snapshots": {func(s store.Shard) store.Shard { return live{s} },
			"a snapshot does not change"},
		"hidden loss": {func(s store.Shard) store.Shard { return neverLost{s} },
			"a second owner fences the first"},
		"none": {func(s store.Shard) store.Shard { return s }, ""},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			found := false
			for _, contract := range storetest.Contracts() {
				if c.found != "" && contract.Name != c.found {
					continue
				}
				log := record(t, func(t testing.TB) {
					contract.Check(t, func(testing.TB) storetest.Subject { return subject(c.wrap) })
				})
				found = found || len(log) > 0
				if c.found == "" && len(log) > 0 {
					t.Errorf("%s failed without a fault: %s", contract.Name, log[0])
				}
			}
			if c.found != "" && !found {
				t.Errorf("%q was not found", c.found)
			}
		})
	}
}

// subject is a memory engine with a fault.
func subject(wrap func(store.Shard) store.Shard) storetest.Subject {
	e := memory.New(memory.Config{Shards: 4})
	return storetest.Subject{
		Engine: faulty{e, wrap},
		Hold:   e.Hold,
		Image: func() func(testing.TB) store.Engine {
			open := e.Image()
			return func(testing.TB) store.Engine { return open() }
		},
	}
}
