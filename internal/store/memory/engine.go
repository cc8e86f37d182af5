// Package memory is the reference engine: the contract of store without a
// disk, small enough to be believed by reading, and the double that the tests
// of the layers above run on.
//
// It guarantees what storetest asks. Nothing survives the process; what a
// crash would leave is an Image. Tests can hold durability back and let a
// batch fail.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"coffer/internal/store"
)

// Config has the bounds of an engine; the zero value is the default.
type Config struct {
	Shards   int // number of shards; 0 means 10: control, eight for queues, events
	InFlight int // batches in flight per shard; 0 means 4
}

// Engine keeps shards in memory. It is for any number of goroutines.
type Engine struct {
	inFlight int
	places   []*place
	gate     gate
	closing  sync.Mutex
}

var _ store.Engine = (*Engine)(nil)

// New gives an engine whose shards are empty.
func New(cfg Config) *Engine {
	if cfg.Shards == 0 {
		cfg.Shards = 10
	}
	return revive(make([]state, cfg.Shards), cfg.InFlight)
}

func revive(states []state, inFlight int) *Engine {
	if inFlight == 0 {
		inFlight = 4
	}
	e := &Engine{inFlight: inFlight}
	e.gate.opened = make(chan struct{})
	close(e.gate.opened)
	for _, st := range states {
		e.places = append(e.places, &place{engine: e, head: st, durable: st})
	}
	return e
}

// Shards lists the shards in ascending order.
func (e *Engine) Shards() []store.ShardID {
	ids := make([]store.ShardID, len(e.places))
	for i := range ids {
		ids[i] = store.ShardID(i)
	}
	return ids
}

// Open takes ownership of a shard and fences its former owner. While
// durability is held back it waits for what that owner proposed.
func (e *Engine) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	if int(id) >= len(e.places) {
		return nil, fmt.Errorf("open shard %d: there are %d shards", id, len(e.places))
	}
	s, err := e.places[id].take(ctx)
	if err != nil {
		return nil, fmt.Errorf("open shard %d: %w", id, err)
	}
	return s, nil
}

// Close waits for proposed batches; afterwards the engine takes nothing over.
// It is idempotent.
func (e *Engine) Close() error {
	e.closing.Lock()
	defer e.closing.Unlock()
	for _, p := range e.places {
		p.mu.Lock()
		p.closed = true
		lines := slices.Clone(p.unsettled)
		p.mu.Unlock()
		for _, line := range lines {
			if err := line.Wait(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Image takes what a crash at this instant would leave: every durable batch
// and nothing else. The result makes an engine of it, as often as it is
// called. It may be called in a done.
func (e *Engine) Image() (open func() *Engine) {
	states := make([]state, len(e.places))
	for i, p := range e.places {
		p.mu.Lock()
		states[i] = p.durable
		p.mu.Unlock()
	}
	return func() *Engine { return revive(states, e.inFlight) }
}

// Hold keeps every batch from becoming durable until release is called, so
// that what was proposed can be seen without being durable. Only one hold is
// in effect at a time.
func (e *Engine) Hold() (release func()) {
	opened := make(chan struct{})
	e.gate.mu.Lock()
	e.gate.opened = opened
	e.gate.mu.Unlock()
	return sync.OnceFunc(func() { close(opened) })
}

// FailBatch lets the n-th batch (the next one is 1) of a shard's present owner
// fail with err, as a disk would; every later one fails as well and Lost is
// closed. A batch that fails with store.ErrUnknown is kept, one that fails
// with another error is not.
func (e *Engine) FailBatch(id store.ShardID, n int, err error) {
	p := e.places[id]
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.owner; o != nil {
		o.failAt, o.failure = o.count+uint64(n), err
	}
}

// gate is what a batch passes to become durable.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed when batches may pass
}

func (g *gate) pass() {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	<-opened
}
