package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// ErrMoved: the namespace was moved to another shard, or is just being moved; who opens
// it again gets it. It comes with fault.Unavailable.
var ErrMoved = errors.New("broker: namespace was moved to another shard")

func movedError() error {
	return fault.Wrap(fault.Unavailable, ErrMoved, "The virtual host was moved. Connect again.")
}

// relocation is the move of a namespace to another shard.
type relocation struct {
	core     *Core
	id       NamespaceID
	from, to *shard
	done     chan struct{} // closed at its end
	err      error         // why nobody may open the namespace; set before done is closed

	old, new place
	plain    []byte
	bodies   map[apart]struct{} // some of those that are at the target
}

// MoveNamespace brings a namespace with all that is durable in it to another queue
// shard, 1 and up. Where it lies already, nothing happens. Its sessions should be closed:
// at its beginning consumers and waiting calls end with ErrMoved, and from then on all
// that n and its sessions are asked for does; what is transient is gone, as after a
// restart. When it returns without an error, OpenNamespace gives the namespace in its new
// shard; until then OpenNamespace waits. It needs no key of the domain.
//
// The move begins when nothing of the namespace is on its way to others, so it waits for
// couriers that wait for a namespace to be opened. After that it is durable: if the process
// ends, the next one goes on with it before anybody opens the namespace. An error, or the
// end of ctx, takes it back, and OpenNamespace gives the namespace where it was; but when
// ErrClosed is the cause of that end, the move is left to the next process. It is a
// number of units of work of its own and must not be called within another. Errors:
// fault.Invalid; fault.NotFound; fault.Conflict when it is being moved; fault.Exhausted
// when the disk is short of room; store.ErrDamaged when something of it cannot be read.
func (c *Core) MoveNamespace(ctx context.Context, id NamespaceID, to int) error {
	if control.From(ctx) != nil {
		return errors.New("broker: move of a namespace within a unit of work")
	}
	r, n, err := c.relocation(id, to)
	if r == nil || err != nil {
		return err
	}
	if err := r.run(ctx, n); err != nil {
		return fmt.Errorf("move namespace %x to shard %d: %w", id, to, err)
	}
	return nil
}

// relocation keeps everybody from opening a namespace; n is nil when it is not open.
func (c *Core) relocation(id NamespaceID, to int) (r *relocation, n *Namespace, err error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.existing[id]
	switch {
	case c.closed:
		return nil, nil, closedError()
	case to < 1 || to > len(c.shards):
		return nil, nil, fault.New(fault.Invalid, "there are queue shards 1 to %d, not %d",
			len(c.shards), to)
	case !ok:
		return nil, nil, namespaceGone()
	case c.moving[id] != nil:
		return nil, nil, beingMovedError()
	case at.at == c.shards[to-1]:
		return nil, nil, nil
	}
	return c.newRelocation(id, at.at, c.shards[to-1]), c.namespaces[id], nil
}

func beingMovedError() error {
	return fault.New(fault.Conflict, "the namespace is being moved to another shard")
}

// newRelocation is called with mu held, or before anything else goes on.
func (c *Core) newRelocation(id NamespaceID, from, to *shard) *relocation {
	r := &relocation{
		core: c, id: id, from: from, to: to, done: make(chan struct{}),
		old:    place{platform: c.db.Platform(), shard: from.id},
		new:    place{platform: c.db.Platform(), shard: to.id},
		bodies: map[apart]struct{}{},
	}
	c.moving[id] = r
	c.carriers.Add(1)
	return r
}

// run moves a namespace that is at its place; n is nil when it is not open.
func (r *relocation) run(ctx context.Context, n *Namespace) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.core.carrying, cancel)()
	err := r.leave(ctx, n)
	if err == nil {
		if err = r.begin(ctx); err == nil {
			err = r.copy(ctx)
		}
		if err == nil {
			err = r.turn(ctx)
		}
		if err != nil {
			r.err = r.takeBack(ctx, err)
		} else {
			err = r.erase()
			r.err = err
		}
	}
	r.end()
	return err
}

// resume goes on with a move that an earlier process began.
func (r *relocation) resume(phase byte) {
	ctx := r.core.carrying
	err := error(nil)
	if phase == phaseCopying {
		if err = r.copy(ctx); err == nil {
			err = r.turn(ctx)
		}
	}
	if err != nil {
		r.core.cfg.Logger.Error("move of a namespace failed", "err", err)
		r.err = r.takeBack(ctx, err)
	} else {
		r.err = r.erase()
	}
	r.end()
}

// end lets the namespace be opened, unless r.err says why not.
func (r *relocation) end() {
	c := r.core
	c.mu.Lock()
	if r.err == nil {
		delete(c.moving, r.id)
	}
	c.mu.Unlock()
	close(r.done)
	c.wakeCouriers()
	c.carriers.Done()
}

// leave waits until the source can let go of the namespace, and has it do so.
func (r *relocation) leave(ctx context.Context, n *Namespace) error {
	for {
		q := request{kind: reqMayLeave, ns: n, namespace: r.id}
		if _, err := r.from.ask(ctx, q); err != nil {
			return err
		}
		if n != nil {
			n.mu.Lock() // no change of the topology is half done
		}
		q.kind = reqLeave
		a, err := r.from.ask(context.WithoutCancel(ctx), q)
		if n != nil {
			n.mu.Unlock()
		}
		if err != nil || a.ok {
			return err
		}
	}
}

// begin makes the move durable.
func (r *relocation) begin(ctx context.Context) error {
	return r.update(ctx, func(tx *control.Tx) error {
		m := moving{phaseCopying, r.to.id}
		tx.Put(control.TableBrokerMeta, movingRow(r.id), m.append(nil))
		return nil
	})
}

// turn says that the namespace lies in the target.
func (r *relocation) turn(ctx context.Context) error {
	return r.update(ctx, func(tx *control.Tx) error {
		at, _, err := r.core.locate(tx, r.id)
		if err != nil {
			return err
		}
		at.at = r.to
		p := placing{at.at.id, at.slot.id}
		tx.Put(control.TableBrokerMeta, namespaceRow(r.id), p.append(nil))
		m := moving{phaseErasing, r.from.id}
		tx.Put(control.TableBrokerMeta, movingRow(r.id), m.append(nil))
		tx.After(func() {
			r.core.mu.Lock()
			defer r.core.mu.Unlock()
			r.core.existing[r.id] = at
		})
		return nil
	})
}

// update is a unit of work on a namespace that exists.
func (r *relocation) update(ctx context.Context, fn func(*control.Tx) error) error {
	return r.core.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		_, ok, err := r.core.locate(tx, r.id)
		if err != nil {
			return err
		}
		if !ok {
			return namespaceGone()
		}
		return fn(tx)
	})
}

// erase deletes what is left at the source, and ends the move. There is no way back, so
// only the end of the process ends it.
func (r *relocation) erase() error {
	ctx := r.core.carrying
	err := r.eraseAt(ctx, r.from)
	if err == nil {
		q := request{kind: reqErase, namespace: r.id}
		_, err = r.to.ask(ctx, q)
	}
	if err != nil {
		return err
	}
	return r.forget(ctx)
}

// takeBack undoes a move that has not come to its turn. It gives the reason why the
// namespace may not be opened: the process is ending, and the next one goes on.
func (r *relocation) takeBack(ended context.Context, why error) error {
	if r.core.carrying.Err() != nil || errors.Is(context.Cause(ended), ErrClosed) {
		return why
	}
	ctx := context.WithoutCancel(r.core.carrying)
	if err := r.forget(ctx); err != nil {
		return errors.Join(why, err)
	}
	// What is left of it is nobody's; the next start deletes it if this cannot.
	if err := r.eraseAt(ctx, r.to); err != nil {
		r.core.cfg.Logger.Error("copy of a namespace cannot be deleted", "err", err)
	}
	return nil
}

// forget takes the move out of shard 0.
func (r *relocation) forget(ctx context.Context) error {
	return r.core.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		tx.Delete(control.TableBrokerMeta, movingRow(r.id))
		return nil
	})
}

// eraseSlice bounds the queues that are erased in one batch.
const eraseSlice = 256

// eraseAt deletes all of the namespace in a shard, in slices. A queue without a record
// has nothing there.
func (r *relocation) eraseAt(ctx context.Context, at *shard) error {
	ids, err := r.queues(ctx)
	if err != nil {
		return err
	}
	if ids, err = recorded(at.store, ids); err != nil {
		return err
	}
	for list := range slices.Chunk(ids, eraseSlice) {
		q := request{kind: reqErase, namespace: r.id, ids: list}
		if _, err := at.ask(ctx, q); err != nil {
			return err
		}
	}
	_, err = at.ask(ctx, request{kind: reqErase, namespace: r.id, flag: true})
	return err
}

// recorded gives those of the queues that have a record in a shard.
func recorded(at store.Shard, ids []queueID) (list []queueID, err error) {
	snap := at.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	for _, id := range ids {
		_, ok, err := snap.Get(recordKey(nil, id))
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, id)
		}
	}
	return list, nil
}

// resumeMoves goes on with the moves of earlier processes.
func (c *Core) resumeMoves(l *layout) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, m := range l.moves {
		from, to := c.existing[id].at, c.shards[m.shard-1]
		if m.phase == phaseErasing {
			from, to = to, from
		}
		r := c.newRelocation(id, from, to)
		go r.resume(m.phase)
	}
}
