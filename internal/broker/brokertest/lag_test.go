package brokertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// lagging is an engine of which one shard can be made to lag: what is proposed
// there is not done before the others go on.
type lagging struct {
	store.Engine
	id store.ShardID

	mu      sync.Mutex
	lags    bool
	waiting []func()
}

func (e *lagging) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if id == e.id {
		s = laggingShard{s, e}
	}
	return s, err
}

// lag holds back what is proposed from now on, until catchUp.
func (e *lagging) lag() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lags = true
}

func (e *lagging) catchUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, propose := range e.waiting {
		propose()
	}
	e.waiting, e.lags = nil, false
}

type laggingShard struct {
	store.Shard
	engine *lagging
}

func (s laggingShard) Propose(b *store.Batch, done func(store.Position, error)) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.engine.lags {
		s.engine.waiting = append(s.engine.waiting, func() { s.Shard.Propose(b, done) })
		return
	}
	s.Shard.Propose(b, done)
}

// TestParcelStays lets the target of a parcel lag behind its source, which must
// keep the parcel until it is durable there.
func TestParcelStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &lagging{Engine: memory.New(memory.Config{Shards: 3}), id: 2}
		w := Start(t, e, NewDomain(), broker.Config{})
		if err := w.OpenOther(); err != nil {
			t.Fatal(err)
		}
		w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true})
		w.In().Declare(nil, broker.QueueSpec{Name: "done", Durable: true})
		c := w.Client(broker.SessionConfig{})
		if err := c.Send("", "work", true, "1"); err != nil {
			t.Fatal(err)
		}
		e.lag()
		cross(t, w, c, 1, func(int) {})
		synctest.Wait() // all that can happen has
		if n, err := w.Rows(0x28); n != 1 || err != nil {
			t.Errorf("%d parcels are at the source, %v", n, err)
		}
		e.catchUp()
		synctest.Wait()
		if n, err := w.Rows(0x28); n != 0 || err != nil {
			t.Errorf("%d parcels are left at the source, %v", n, err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestParcelWaits lets the source lag: a parcel is not carried before it is durable
// there, and then it is.
func TestParcelWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &lagging{Engine: memory.New(memory.Config{Shards: 3}), id: 1}
		w := Start(t, e, NewDomain(), broker.Config{})
		if err := w.OpenOther(); err != nil {
			t.Fatal(err)
		}
		q := w.In().Declare(nil, broker.QueueSpec{Name: "done", Durable: true})
		c := w.Client(broker.SessionConfig{})
		w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true})
		p := publishing(t, w, "work", "1", true)
		p.Targets = []*broker.Queue{q}
		e.lag()
		done := make(chan error, 1)
		go func() {
			done <- c.Transact(broker.Transaction{Publishings: []broker.Publishing{p}})
		}()
		synctest.Wait()
		if ready, _, _ := q.Counts(); ready != 0 {
			t.Errorf("%d messages came before they were durable", ready)
		}
		e.catchUp()
		synctest.Wait()
		if ready, _, _ := q.Counts(); ready != 1 {
			t.Errorf("%d messages came", ready)
		}
		if err := errors.Join(<-done, c.Close(t.Context()), w.Stop()); err != nil {
			t.Fatal(err)
		}
	})
}
