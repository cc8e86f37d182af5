package broker

import (
	"context"
	"errors"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// DeleteAddress deletes the address with the bindings from it and to it. Errors:
// fault.NotFound; fault.Conflict when ifUnused and there are bindings from it.
func (n *Namespace) DeleteAddress(ctx context.Context, name string, ifUnused bool) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	a, ok := n.Topology().Address(name)
	if !ok {
		return fault.New(fault.NotFound, "no address '%s'", name)
	}
	if ifUnused && len(n.sources[name]) > 0 {
		return fault.New(fault.Conflict, "address '%s' in use", name)
	}
	c := n.begin()
	c.dropAddress(&a)
	return c.commit(ctx)
}

// DeleteQueue deletes the queue with its bindings and messages, ends its
// consumers, and returns the number of ready messages it had. Errors:
// fault.NotFound when it is gone; fault.Conflict when ifUnused and it has
// consumers, or ifEmpty and it has ready messages.
func (n *Namespace) DeleteQueue(ctx context.Context, q *Queue, ifUnused, ifEmpty bool) (
	messages int, err error,
) {
	return n.deleteQueue(ctx, request{kind: reqFreeze, q: q, flag: ifUnused, empty: ifEmpty})
}

// deleteQueue deletes r.q if the owner finds that it may.
func (n *Namespace) deleteQueue(ctx context.Context, r request) (messages int, err error) {
	if err := n.enter(ctx); err != nil {
		return 0, err
	}
	defer n.mu.Unlock()
	q := r.q
	// From the first step on the queue must go or come back whatever ctx does.
	ctx = context.WithoutCancel(ctx)
	if _, err := n.shard.ask(ctx, r); err != nil {
		return 0, err
	}
	if err := n.removeQueue(ctx, q); err != nil {
		if _, terr := n.shard.ask(ctx, request{kind: reqThaw, q: q}); terr != nil {
			n.core.cfg.Logger.Error("queue stays frozen", "err", terr)
		}
		return 0, err
	}
	a, err := n.shard.ask(ctx, request{kind: reqDrop, q: q})
	return a.count, err
}

// removeQueue takes the queue out of the topology.
func (n *Namespace) removeQueue(ctx context.Context, q *Queue) error {
	c := n.begin()
	for _, b := range n.ends[q] {
		c.unbind(b)
	}
	c.next.count--
	c.next.queues = c.next.queues.without(c.next.seed, q.spec.Name)
	if q.spec.stored() {
		c.delete(control.TableQueue, queueRow(n.id, q.id))
	}
	err := c.commit(ctx)
	if err == nil {
		n.counts.deleted.Add(1)
	}
	return err
}

// deleteUnused deletes a queue that goes with its last consumer or its session.
// That it went meanwhile, or moved, or is in use again, is no error.
func (n *Namespace) deleteUnused(ctx context.Context, q *Queue) error {
	_, err := n.DeleteQueue(ctx, q, !q.spec.Exclusive, false)
	kind := fault.KindOf(err)
	if kind == fault.NotFound || kind == fault.Conflict || errors.Is(err, ErrMoved) {
		return nil
	}
	return err
}

// PurgeQueue removes the ready messages and returns their number; what is in
// flight stays. It is durable when it returns. Errors: fault.NotFound when the
// queue is gone.
func (n *Namespace) PurgeQueue(ctx context.Context, q *Queue) (messages int, err error) {
	a, err := n.shard.ask(ctx, request{kind: reqPurge, q: q})
	return a.count, err
}
