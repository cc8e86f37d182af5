package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

func rotate(t testing.TB, db *control.DB) {
	t.Helper()
	key := bytes.Repeat([]byte{1}, seal.KeySize)
	err := db.RotatePlatform(t.Context(), key, func(context.Context, *control.Tx) error {
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func atOnce(ctx context.Context, _ store.ShardID, _ int) error { return ctx.Err() }

// older gives the keys of a shard's rows that are under an older platform key.
func older(t testing.TB, db *control.DB, s store.Shard) (keys []string) {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	defer it.Close()
	for it.Next() {
		if db.Platform().Stale(it.Value()) {
			keys = append(keys, fmt.Sprintf("%q", it.Key()))
		}
	}
	return keys
}

// onClose is a shard that calls fn when a snapshot is closed.
type onClose struct {
	store.Shard
	fn *func()
}

type closing struct {
	store.Snapshot
	fn *func()
}

func (s onClose) Snapshot() store.Snapshot { return closing{s.Shard.Snapshot(), s.fn} }

func (s closing) Close() error {
	err := s.Snapshot.Close()
	(*s.fn)()
	return err
}

// spread opens a trail over three shards, of which the second is a queue shard; fn is called
// when a snapshot of one but shard 0 is closed.
func spread(t *testing.T, fn *func()) (*Log, []store.Shard) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	db, shards := openState(t, e, 3)
	l, err := Open(t.Context(), db, onClose{shards[2], fn}, 2,
		Config{Data: []DataShard{{onClose{shards[1], fn}, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, shards
}

// trail adds events to all shards, numbered from one on.
func trail(t *testing.T, l *Log, queues store.Shard, from int) {
	t.Helper()
	b := &store.Batch{}
	durable, err := l.Put(1, b, []*Event{event(from, testTime(int64(from)))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	queues.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	durable()
	add(t, l, event(from+1, testTime(int64(from+1))), true)
	for n := range 2 * resealRows {
		add(t, l, event(from+2+n, testTime(int64(from+2+n))), false)
	}
}

// TestReseal: all that the trail has in the last shard and events of a queue shard are sealed
// anew; trees and heads stay as they are and grow on, and all is found and whole.
func TestReseal(t *testing.T) {
	t.Parallel()
	fn := func() {}
	l, shards := spread(t, &fn)
	db := l.db
	trail(t, l, shards[1], 0)
	before, err := l.ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, db)
	held := 0
	fn = func() {
		if held++; l.rewriting.TryLock() {
			t.Error("an event may expire while it is sealed anew")
			l.rewriting.Unlock()
		}
	}
	n, err := l.Reseal(t.Context(), atOnce)
	if fn = func() {}; err != nil || n == 0 || held == 0 {
		t.Fatalf("%d rows, %d snapshots, %v", n, held, err)
	}
	if n, err := l.Reseal(t.Context(), atOnce); n != 0 || err != nil {
		t.Errorf("%d rows once more, %v", n, err)
	}
	if keys := older(t, db, shards[2]); len(keys) > 0 {
		t.Errorf("under the old key: %v", keys)
	}
	// Those of the queue shard's tree are its owner's.
	if keys := older(t, db, shards[1]); !slices.Equal(keys, []string{`"Dborn"`, `"Dedge"`}) {
		t.Errorf("under the old key: %v", keys)
	}
	after, err := l.ends(t.Context())
	for id, e := range before {
		if a := after[id]; err != nil || a.size != e.size || a.root() != e.root() {
			t.Errorf("the tree of shard %d changed: %v", id, err)
		}
	}
	trail(t, l, shards[1], 3*resealRows)
	ids := all(t, l, Query{Account: testAccount, Region: testRegion})
	if len(ids) != 2*(2*resealRows+1) { // data events are found by attributes
		t.Errorf("%d events", len(ids))
	}
	l.Close()
	zero, last := shards[0].Snapshot(), shards[2].Snapshot()
	defer zero.Close()
	defer last.Close()
	state, err := control.Inspect(zero, bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Check(t.Context(), state, last, 2, func(row string, err error) {
		t.Errorf("%s: %v", row, err)
	})
	if n := state.Noted(); err != nil || n != 0 {
		t.Errorf("%d older rows, %v", n, err)
	}
}

// TestExpireAlone: nothing is sealed anew between the snapshot by which events expire and
// their deletion.
func TestExpireAlone(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	add(t, l, event(1, testTime(0)), false)
	held := 0
	fn := func() {
		if held++; l.rewriting.TryLock() {
			t.Error("an event may be sealed anew while it expires")
			l.rewriting.Unlock()
		}
	}
	l.shard = onClose{l.shard, &fn}
	if n, err := l.Expire(t.Context(), time.Now()); n != 1 || err != nil || held == 0 {
		t.Errorf("%d events, %d snapshots, %v", n, held, err)
	}
}

// TestRecordWhileRotating: what was sealed before the key was replaced and comes to its
// batch afterwards is stored under the new one.
func TestRecordWhileRotating(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	rows, leaf, err := l.rows(l.id, event(1, testTime(0)))
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, l.db)
	if _, err := l.Reseal(t.Context(), atOnce); err != nil {
		t.Fatal(err)
	}
	if _, err := l.enter(t.Context(), rows, leaf); err != nil {
		t.Fatal(err)
	}
	add(t, l, event(2, testTime(1)), false) // the batches are in order
	if keys := older(t, l.db, l.shard); len(keys) > 0 {
		t.Errorf("under the old key: %v", keys)
	}
	if ids := all(t, l, Query{}); len(ids) != 2 {
		t.Errorf("%v", ids)
	}
}

// TestResealUnderLoad replaces the key and seals anew while events come.
func TestResealUnderLoad(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	var work, others sync.WaitGroup
	var done atomic.Bool
	const writers, each = 4, 150
	for w := range writers {
		others.Go(func() {
			for n := range each {
				if err := l.Record(t.Context(), event(w*each+n, testTime(int64(n)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Go(func() {
		for n := 0; n < 1 || !done.Load(); n++ {
			if n < 14 {
				rotate(t, l.db)
			}
			if _, err := l.Reseal(t.Context(), atOnce); err != nil {
				t.Error(err)
			}
			if keys := older(t, l.db, l.shard); len(keys) > 0 {
				t.Errorf("under an old key: %v", keys)
			}
		}
	})
	others.Wait()
	done.Store(true)
	work.Wait()
	if ids := all(t, l, Query{}); len(ids) != writers*each {
		t.Errorf("%d events", len(ids))
	}
}
