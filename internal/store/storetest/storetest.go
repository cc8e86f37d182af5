// Package storetest is the contract of store, written to be run: every engine
// has to pass Run, and engines on a file system RunCrash and RunFaults.
//
// It guarantees that an engine which passes keeps order, atomicity, durability
// after done, fencing and bounds, as far as tests can show it. It does not
// measure speed.
package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"coffer/internal/store"
)

// Subject is an engine under test with what the tests need beside its contract.
type Subject struct {
	store.Engine

	// InFlight is the configured bound; 0 means 4.
	InFlight int

	// Hold keeps every batch from becoming durable until release is called. It
	// is nil where that cannot be done.
	Hold func() (release func())

	// Image takes what a crash at this instant would leave, and opens it. It may
	// be called in a done. It is nil where that cannot be done.
	Image func() (open func(testing.TB) store.Engine)

	// Reopen opens what a closed engine left. It is nil where nothing is left.
	Reopen func(testing.TB) store.Engine
}

// Opener makes an empty engine of at least three shards and closes it when the
// test ends.
type Opener func(testing.TB) Subject

// A Contract is one promise of store and the check that an engine keeps it.
type Contract struct {
	Name  string
	Check func(testing.TB, Opener)
}

// Contracts lists every promise.
func Contracts() []Contract {
	return []Contract{
		{"batches settle in order, once each", settleInOrder},
		{"a later effect on a key wins", laterEffectWins},
		{"effects act as on a sorted map", likeSortedMap},
		{"a batch is copied", batchIsCopied},
		{"a batch shows completely or not at all", batchesAreAtomic},
		{"done means durable", doneMeansDurable},
		{"durable does not run ahead", durableDoesNotRunAhead},
		{"at most the bound is in flight", boundInFlight},
		{"proposers on many goroutines", manyProposers},
		{"a closed engine leaves everything", survivesClose},
		{"a snapshot does not change", snapshotIsStill},
		{"a snapshot knows its position", snapshotKnowsPosition},
		{"a value read belongs to the reader", valueIsOwned},
		{"an iterator keeps to its bounds", iteratorBounds},
		{"shards do not touch each other", shardsAreApart},
		{"a second owner fences the first", secondOwnerFences},
		{"positions grow over owners", positionsGrow},
		{"a batch over a limit is refused", limitsRefuse},
		{"at the limits everything fits", limitsFit},
		{"a closed engine takes nothing", closedTakesNothing},
		{"an unknown shard is an error", unknownShard},
	}
}

// Run checks every contract.
func Run(t *testing.T, open Opener) {
	for _, c := range Contracts() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Check(t, open)
		})
	}
}

// own opens a shard.
func own(t testing.TB, e store.Engine, id store.ShardID) store.Shard {
	t.Helper()
	s, err := e.Open(context.Background(), id)
	if err != nil {
		t.Fatalf("open shard %d: %v", id, err)
	}
	return s
}

// outcome is what a done got.
type outcome struct {
	pos store.Position
	err error
}

// propose proposes and gives a channel for the outcome.
func propose(s store.Shard, b *store.Batch) <-chan outcome {
	c := make(chan outcome, 1)
	s.Propose(b, func(pos store.Position, err error) { c <- outcome{pos, err} })
	return c
}

// commit proposes, waits, and fails the test unless the batch is durable.
func commit(t testing.TB, s store.Shard, b *store.Batch) store.Position {
	t.Helper()
	o := <-propose(s, b)
	if o.err != nil {
		t.Fatalf("propose: %v", o.err)
	}
	return o.pos
}

// write is a batch that sets key to value.
func write(key, value string) *store.Batch {
	b := new(store.Batch)
	b.Set([]byte(key), []byte(value))
	return b
}

// mark is a batch that sets "n" to a number.
func mark(n uint64) *store.Batch {
	b := new(store.Batch)
	b.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n))
	return b
}

// marked reads what mark wrote; 0 when there is nothing.
func marked(t testing.TB, s store.Snapshot) uint64 {
	t.Helper()
	v, ok, err := s.Get([]byte("n"))
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	if !ok {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// content reads keys and values between bounds as one string per pair.
func content(t testing.TB, s store.Snapshot, lower, upper []byte) []string {
	t.Helper()
	it := s.Iter(lower, upper)
	var all []string
	for it.Next() {
		all = append(all, fmt.Sprintf("%q=%q", it.Key(), it.Value()))
	}
	if err := it.Err(); err != nil {
		t.Fatalf("iterate: %v", err)
	}
	if err := it.Close(); err != nil {
		t.Fatalf("close iterator: %v", err)
	}
	return all
}

// closed closes a snapshot.
func closed(t testing.TB, s store.Snapshot) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close snapshot: %v", err)
	}
}

// look runs f with a snapshot.
func look(t testing.TB, s store.Shard, f func(store.Snapshot)) {
	t.Helper()
	snap := s.Snapshot()
	defer closed(t, snap)
	f(snap)
}

// ledger notes outcomes in the order in which they come.
type ledger struct {
	mu   sync.Mutex
	seen []int
	all  []outcome
}

// done gives a callback that notes the outcome of batch n, every time it is
// called.
func (l *ledger) done(n int, wg *sync.WaitGroup) func(store.Position, error) {
	wg.Add(1)
	first := sync.OnceFunc(wg.Done)
	return func(pos store.Position, err error) {
		l.mu.Lock()
		l.seen = append(l.seen, n)
		l.all = append(l.all, outcome{pos, err})
		l.mu.Unlock()
		first()
	}
}
