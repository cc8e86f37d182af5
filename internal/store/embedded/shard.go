package embedded

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"coffer/internal/store"
)

// place is a shard over its owners.
type place struct {
	engine  *Engine
	id      store.ShardID
	current atomic.Pointer[owner]          // changed under mu
	durable atomic.Pointer[store.Position] // of the last durable batch

	mu        sync.Mutex // held while a batch is handed to Pebble
	closed    bool
	pos       store.Position // of the last batch handed to Pebble
	unsettled []*store.Line  // of owners so far, where batches may be in flight
}

func newPlace(e *Engine, id store.ShardID, pos store.Position) *place {
	p := &place{engine: e, id: id, pos: pos}
	p.durable.Store(&pos)
	return p
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
	err := p.engine.db.Set(positionKey(p.id), appendPosition(nil, pos), pebble.Sync)
	if err != nil {
		p.engine.fail(fmt.Errorf("write epoch of shard %d: %w", p.id, err))
	}
	if err := p.engine.dead(); err != nil {
		return err
	}
	p.pos, p.unsettled = pos, []*store.Line{o.line}
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

// launch hands b to Pebble, which puts it behind all earlier ones in its log
// and shows it to readers, and says how to wait for the log.
func (o *owner) launch(b *store.Batch) store.Settle {
	p := o.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := o.refuse(b); err != nil {
		return func() (store.Position, error) { return store.Position{}, err }
	}
	pos := store.Position{Epoch: o.epoch, Index: p.pos.Index + 1}
	began := time.Now()
	pb := p.encode(b, pos)
	if err := p.engine.db.ApplyNoSyncWait(pb, pebble.Sync); err != nil {
		p.engine.fail(fmt.Errorf("apply batch %v of shard %d: %w", pos, p.id, err))
		return func() (store.Position, error) { return store.Position{}, store.ErrUnknown }
	}
	p.pos = pos
	return func() (store.Position, error) {
		bytes := pb.Len()
		pos, err := o.settle(pb, pos)
		if fn := p.engine.cfg.Committed; fn != nil && err == nil {
			fn(p.id, bytes, time.Since(began))
		}
		return pos, err
	}
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

// settle waits for the log. After a failure nothing is acknowledged, not even
// what reached the disk before: the next start will show.
func (o *owner) settle(pb *pebble.Batch, pos store.Position) (store.Position, error) {
	e := o.place.engine
	if err := pb.SyncWait(); err != nil {
		e.fail(fmt.Errorf("sync batch %v of shard %d: %w", pos, o.place.id, err))
	}
	if e.dead() != nil {
		return store.Position{}, store.ErrUnknown
	}
	if err := pb.Close(); err != nil {
		return store.Position{}, store.ErrUnknown
	}
	o.advance(pos)
	return pos, nil
}

// Pebble keeps buffers of batches for later ones, by default up to 1 MiB, which the
// broker's exceed just under load. Rounded sizes make them fit each other.
const (
	keepBatch  = 4 << 20
	roundBatch = 1 << 18
)

// encode gives a batch of Pebble: first the position, by which the log can be
// checked, then the effects.
func (p *place) encode(b *store.Batch, pos store.Position) *pebble.Batch {
	const perOp = 1 + prefixLen + 2*5 // kind, prefix, lengths
	size := 64 + b.Size() + perOp*b.Len()
	if size > roundBatch {
		size += -size & (roundBatch - 1)
	}
	pb := p.engine.db.NewBatchWithSize(size, pebble.WithMaxRetainedSizeBytes(keepBatch))
	op := pb.SetDeferred(prefixLen, 16)
	putPrefix(op.Key, p.id, kindPosition)
	appendPosition(op.Value[:0], pos)
	p.finish(op)
	for _, effect := range b.Ops() {
		switch effect.Kind {
		case store.OpSet:
			n := len(effect.Value)
			op = pb.SetDeferred(prefixLen+len(effect.Key), n+len(effect.Tail))
			copy(op.Value, effect.Value)
			copy(op.Value[n:], effect.Tail)
		case store.OpDelete:
			op = pb.DeleteDeferred(prefixLen + len(effect.Key))
		case store.OpDeleteRange:
			if bytes.Compare(effect.Key, effect.Value) >= 0 {
				continue
			}
			op = pb.DeleteRangeDeferred(prefixLen+len(effect.Key), prefixLen+len(effect.Value))
			putPrefix(op.Value, p.id, kindData)
			copy(op.Value[prefixLen:], effect.Value)
		}
		putPrefix(op.Key, p.id, kindData)
		copy(op.Key[prefixLen:], effect.Key)
		p.finish(op)
	}
	return pb
}

// finish ends one effect; it can fail only in a batch that has an index.
func (p *place) finish(op *pebble.DeferredBatchOp) {
	if err := op.Finish(); err != nil {
		panic(fmt.Sprintf("batch without index: %v", err))
	}
}
