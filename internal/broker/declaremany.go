package broker

import (
	"bytes"
	"context"
	"errors"

	"coffer/internal/fault"
)

// DeclareQueues creates those of the queues that are not there yet, in one change, which
// is durable as a whole or not at all, and gives them. None is exclusive. A call should
// not name more than some hundred. Errors: those of DeclareQueue.
func (n *Namespace) DeclareQueues(ctx context.Context, specs []QueueSpec) ([]*Queue, error) {
	for i := range specs {
		s := &specs[i]
		if err := checkName("queue", s.Name, s.Arguments); err != nil {
			return nil, err
		}
		if s.Exclusive {
			return nil, errors.New("broker: exclusive queue without a session")
		}
		if err := n.settable(&s.Limits); err != nil {
			return nil, err
		}
	}
	if err := n.enter(ctx); err != nil {
		return nil, err
	}
	defer n.mu.Unlock()
	c := n.begin()
	var made []*Queue
	for _, spec := range specs {
		if _, ok := c.next.Queue(spec.Name); ok {
			continue
		}
		spec.Arguments = bytes.Clone(spec.Arguments)
		q := newQueue(n, spec)
		if spec.stored() {
			c.row(q.create)
		} else {
			id, err := n.core.temporaryID()
			if err != nil {
				return nil, err
			}
			q.id = id
		}
		c.next.count++
		c.next.queues = c.next.queues.with(c.next.seed, spec.Name, q)
		made = append(made, q)
	}
	most := n.quota.Load().MaxQueues
	if over(most, int64(n.Topology().count), int64(len(made))) {
		return nil, fault.New(fault.Exhausted, "quota of %d queues", most.N)
	}
	if err := c.commit(ctx); err != nil {
		return nil, err
	}
	n.counts.created.Add(int64(len(made)))
	for _, q := range made {
		if err := n.renew(ctx, q); err != nil {
			return made, err
		}
	}
	return made, nil
}

// BindQueues adds bindings of queues in one change, as far as both their ends are there
// and they are not. It is durable as a whole or not at all. A call should not name more
// than some hundred. Errors: fault.Invalid.
func (n *Namespace) BindQueues(ctx context.Context, list []Binding) error {
	for i := range list {
		if err := list[i].check(); err != nil {
			return err
		}
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	c := n.begin()
	for _, b := range list {
		q, ok := c.next.Queue(b.Queue)
		if _, from := c.next.Address(b.Source); !ok || !from || b.Address != "" ||
			n.ends[q][bindingKey{b.Source, b.Key, string(b.Arguments)}] != nil {
			continue
		}
		if err := c.bind(q, b); err != nil {
			return err
		}
	}
	if len(c.added) == 0 {
		return nil
	}
	return c.commit(ctx)
}
