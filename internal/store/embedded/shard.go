package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// place is a shard over its owners.
type place struct {
	engine  *Engine
	id      store.ShardID
	current atomic.Pointer[owner]          // changed under mu
	durable atomic.Pointer[store.Position] // of the last durable batch

	mu        sync.Mutex // held while a batch is handed to the log
	closed    bool
	pos       store.Position // of the last batch handed to the log
	last      seglog.Ref     // where its record is
	unsettled []*store.Line  // of owners so far, where batches may be in flight

	seeing sync.Mutex // held for moments, never while anybody waits for the disk
	now    view       // with all that was handed to the log; changed under both
	seen   *table     // a view of now.active that still shows it; nil: there is none
}

func newPlace(e *Engine, id store.ShardID, found *table, on *base) *place {
	pos := found.pos
	p := &place{engine: e, id: id, pos: pos}
	p.now = view{active: found, base: on.take()}
	p.durable.Store(&pos)
	return p
}

// look gives the shard as it is now; its base is to be let go. Those who look before the
// next batch share a view.
func (p *place) look() view {
	p.seeing.Lock()
	defer p.seeing.Unlock()
	if p.seen == nil {
		p.seen = p.now.active.view()
	}
	v := p.now
	v.active = p.seen
	v.base.take()
	return v
}

// owner is one ownership of a shard.
type owner struct {
	place   *place
	line    *store.Line
	lost    chan struct{}
	lose    func()
	epoch   uint64
	durable atomic.Uint64 // index of the last durable batch
	broken  bool          // guarded by place.mu: a batch was refused, all that follow are
}

var _ store.Shard = (*owner)(nil)

// take fences the present owner, waits for what it proposed, and gives the
// shard to a new one.
func (p *place) take(ctx context.Context) (*owner, error) {
	lost := make(chan struct{})
	o := &owner{
		place: p,
		line:  store.NewLine(p.engine.cfg.InFlight),
		lost:  lost,
		lose:  sync.OnceFunc(func() { close(lost) }),
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, store.ErrClosed
	}
	old, lines := p.current.Swap(o), slices.Clone(p.unsettled)
	p.unsettled = append(p.unsettled, o.line)
	p.mu.Unlock()
	if old != nil {
		old.lose()
	}
	for _, line := range lines {
		if err := line.Wait(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.ascend(o); err != nil {
		return nil, err
	}
	return o, nil
}

// ascend makes the epoch of a new owner durable.
func (p *place) ascend(o *owner) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return store.ErrClosed
	}
	if p.current.Load() != o {
		return store.ErrLost // another one came while this one waited
	}
	if err := p.engine.dead(); err != nil {
		return err
	}
	// What the floor says on the disk is at most one beginning behind.
	if err := p.engine.floor.keep(); err != nil {
		return err
	}
	pos := store.Position{Epoch: p.pos.Epoch + 1, Index: p.pos.Index}
	if err := p.append(pos, new(store.Batch)); err != nil {
		return err
	}
	if err := p.settle(p.last); err != nil {
		return err
	}
	p.unsettled = []*store.Line{o.line}
	o.epoch = pos.Epoch
	o.advance(pos)
	return p.engine.floor.keep()
}

// close refuses what is proposed from now on and waits for what was before.
func (p *place) close() error {
	p.mu.Lock()
	p.closed = true
	lines := slices.Clone(p.unsettled)
	p.mu.Unlock()
	for _, line := range lines {
		if err := line.Wait(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func (o *owner) Lost() <-chan struct{} { return o.lost }

func (o *owner) Durable() store.Position {
	return store.Position{Epoch: o.epoch, Index: o.durable.Load()}
}

// advance notes a durable position.
func (o *owner) advance(pos store.Position) {
	o.durable.Store(pos.Index)
	o.place.durable.Store(&pos)
	o.place.engine.floor.note()
}

func (o *owner) Propose(b *store.Batch, done func(store.Position, error)) {
	o.line.Do(func() store.Settle { return o.launch(b) }, done)
}

// launch hands b to the log, behind all earlier ones, shows it to readers, and says
// how to wait for the disk.
func (o *owner) launch(b *store.Batch) store.Settle {
	p := o.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := o.refuse(b); err != nil {
		return func() (store.Position, error) { return store.Position{}, err }
	}
	began, size := time.Now(), recordSize(b)
	pos := store.Position{Epoch: o.epoch, Index: p.pos.Index + 1}
	if err := p.append(pos, b); err != nil {
		return func() (store.Position, error) { return store.Position{}, store.ErrUnknown }
	}
	ref := p.last
	return func() (store.Position, error) {
		// After a failure nothing is acknowledged, not even what reached the disk
		// before: the next start will show.
		err := p.settle(ref)
		if err == nil {
			err = p.engine.flusher.pass()
		}
		if err != nil {
			return store.Position{}, store.ErrUnknown
		}
		o.advance(pos)
		if fn := p.engine.cfg.Committed; fn != nil {
			fn(p.id, size, time.Since(began))
		}
		return pos, nil
	}
}

// append hands a batch to the log and shows it; mu is held.
func (p *place) append(pos store.Position, b *store.Batch) error {
	e, size := p.engine, recordSize(b)
	ref, err := e.log.Append(size, func(dst []byte) { putRecord(dst, p.id, pos, b) })
	if err != nil {
		e.fail(fmt.Errorf("append batch %v of shard %d: %w", pos, p.id, err))
		return e.dead()
	}
	p.pos, p.last = pos, ref
	p.seeing.Lock()
	t := p.now.active
	p.seen = nil
	had := t.count()
	t.apply(b, ref)
	t.pos = pos
	grown := t.count() - had
	p.seeing.Unlock()
	e.flusher.note(size, grown, ref.Segment)
	return nil
}

// settle waits until the record at ref is durable.
func (p *place) settle(ref seglog.Ref) error {
	e := p.engine
	if err := e.log.Wait(ref); err != nil {
		e.fail(fmt.Errorf("sync the log: %w", err))
	}
	return e.dead()
}

// refuse gives the reason why b is not handed over. Once a batch was refused,
// what its owner holds in memory is wrong, so it loses the shard.
func (o *owner) refuse(b *store.Batch) error {
	switch {
	case o.place.closed:
		return store.ErrClosed
	case o.place.current.Load() != o, o.broken, o.place.engine.dead() != nil:
		return store.ErrLost
	}
	if err := b.Check(); err != nil {
		o.broken = true
		o.lose()
		return err
	}
	return nil
}
