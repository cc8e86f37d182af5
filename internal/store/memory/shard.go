package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"coffer/internal/store"
)

// state is a shard at a position.
type state struct {
	root *node
	pos  store.Position
}

// place is a shard over its owners.
type place struct {
	engine *Engine

	mu        sync.Mutex
	closed    bool
	owner     *owner
	unsettled []*store.Line // of owners so far, where batches may be in flight
	head      state         // with what was proposed
	durable   state
}

// owner is one ownership of a shard.
type owner struct {
	place   *place
	line    *store.Line
	lost    chan struct{}
	lose    func()
	durable atomic.Pointer[store.Position]

	// Guarded by place.mu.
	broken  bool // an error was given to a done; all that follows fails
	count   uint64
	failAt  uint64 // the batch that fails, 0 for none
	failure error
}

var _ store.Shard = (*owner)(nil)

// take fences the present owner, waits for what it proposed and gives the
// shard to a new one.
func (p *place) take(ctx context.Context) (*owner, error) {
	lost := make(chan struct{})
	o := &owner{
		place: p,
		line:  store.NewLine(p.engine.inFlight),
		lost:  lost,
		lose:  sync.OnceFunc(func() { close(lost) }),
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, store.ErrClosed
	}
	old, lines := p.owner, slices.Clone(p.unsettled)
	p.owner, p.unsettled = o, append(p.unsettled, o.line)
	p.mu.Unlock()
	if old != nil {
		old.lose()
	}
	for _, line := range lines {
		if err := line.Wait(ctx); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner != o {
		return nil, store.ErrLost // another one came while this one waited
	}
	if p.closed {
		return nil, store.ErrClosed
	}
	p.unsettled = []*store.Line{o.line}
	p.durable.pos.Epoch++
	p.head = p.durable
	pos := p.durable.pos
	o.durable.Store(&pos)
	return o, nil
}

func (o *owner) Lost() <-chan struct{} { return o.lost }

func (o *owner) Durable() store.Position { return *o.durable.Load() }

func (o *owner) Snapshot() store.Snapshot {
	o.place.mu.Lock()
	defer o.place.mu.Unlock()
	if o.place.closed {
		return &snapshot{err: store.ErrClosed}
	}
	return &snapshot{root: o.place.head.root, pos: o.place.head.pos}
}

func (o *owner) Propose(b *store.Batch, done func(store.Position, error)) {
	o.line.Do(func() store.Settle { return o.launch(b) }, done)
}

// launch applies b to the head and says how it becomes durable.
func (o *owner) launch(b *store.Batch) store.Settle {
	p := o.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := o.refuse(b); err != nil {
		return func() (store.Position, error) { return store.Position{}, err }
	}
	root, err := apply(p.head.root, b)
	if err != nil {
		o.broken = true
		o.lose()
		return func() (store.Position, error) { return store.Position{}, err }
	}
	next := state{root: root, pos: p.head.pos}
	next.pos.Index++
	p.head = next
	o.count++
	var failure error
	if o.count == o.failAt {
		o.broken, failure = true, fmt.Errorf("propose batch %v: %w", next.pos, o.failure)
	}
	return func() (store.Position, error) { return o.settle(next, failure) }
}

// refuse gives the reason why b is not taken over.
func (o *owner) refuse(b *store.Batch) error {
	switch {
	case o.place.closed:
		return store.ErrClosed
	case o.place.owner != o, o.broken:
		return store.ErrLost
	}
	if err := b.Check(); err != nil {
		o.broken = true
		o.lose()
		return err
	}
	return nil
}

// settle makes st durable once the gate lets it.
func (o *owner) settle(st state, failure error) (store.Position, error) {
	o.place.engine.gate.pass()
	o.place.mu.Lock()
	defer o.place.mu.Unlock()
	if failure == nil || errors.Is(failure, store.ErrUnknown) {
		o.place.durable = st
	}
	if failure != nil {
		o.lose()
		return store.Position{}, failure
	}
	o.durable.Store(&st.pos)
	return st.pos, nil
}

// apply gives the tree after the effects of b, of which it keeps copies.
func apply(root *node, b *store.Batch) (*node, error) {
	for _, op := range b.Ops() {
		switch op.Kind {
		case store.OpInsert:
			if _, ok := root.get(op.Key); ok {
				return nil, fmt.Errorf("%w: %x", store.ErrExists, op.Key)
			}
			fallthrough
		case store.OpSet:
			root = root.set(bytes.Clone(op.Key), slices.Concat(op.Value, op.Tail))
		case store.OpDelete:
			root = root.drop(op.Key, after(op.Key))
		case store.OpDeleteRange:
			root = root.drop(op.Key, op.Value)
		}
	}
	return root, nil
}
