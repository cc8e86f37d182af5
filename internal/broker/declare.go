package broker

import (
	"bytes"
	"context"
	"errors"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// DeclareAddress creates the address, or gives the one that has the name;
// whether the two are equivalent is for the caller to judge. The change is
// durable when it returns. Like all changes of a topology it is a unit of work
// of its own and must not be called within another. Errors: fault.Invalid.
func (n *Namespace) DeclareAddress(ctx context.Context, a Address) (
	existing Address, created bool, err error,
) {
	if err := checkName("address", a.Name, a.Arguments); err != nil {
		return Address{}, false, err
	}
	if a.Kind < Direct || a.Kind > Drawn {
		return Address{}, false, fault.New(fault.Invalid, "unknown kind of address %d", a.Kind)
	}
	if len(a.Alternate) > MaxName {
		return Address{}, false, fault.New(fault.Invalid,
			"name of alternate is longer than %d bytes", MaxName)
	}
	if err := n.enter(ctx); err != nil {
		return Address{}, false, err
	}
	defer n.mu.Unlock()
	if old, ok := n.Topology().Address(a.Name); ok {
		return old, false, nil
	}
	a.Arguments, a.Memo = bytes.Clone(a.Arguments), new(Memo)
	a.Counts = new(AddressCounts)
	c := n.begin()
	c.next.addresses = c.next.addresses.with(c.next.seed, a.Name, &route{address: a})
	if a.Durable {
		c.row(func(tx *control.Tx) error {
			id := addressRow(n.core.db, n.id, a.Name)
			tx.Put(control.TableAddress, id, appendAddressRow(nil, &a))
			return nil
		})
	}
	return a, true, c.commit(ctx)
}

// DeclareQueue creates the queue, or gives the one that has the name; whether
// the two are equivalent, and s may use it, is for the caller to judge. s is
// needed for an exclusive queue only. A queue that is created gets the bindings,
// whose Queue does not matter, in the same change; one that exists is left as it
// is. Errors: those of SetLimits; fault.Invalid; fault.NotFound for the address of a binding;
// fault.Exhausted over Quota.MaxQueues.
func (n *Namespace) DeclareQueue(
	ctx context.Context, s *Session, spec QueueSpec, bindings ...Binding,
) (q *Queue, created bool, err error) {
	if err := checkName("queue", spec.Name, spec.Arguments); err != nil {
		return nil, false, err
	}
	if err := spec.Limits.check(); err != nil {
		return nil, false, err
	}
	if spec.Fair && (spec.Groups || spec.MaxPriority > 0) {
		return nil, false, fault.New(fault.Invalid, "queue with turns, and groups or priorities")
	}
	if spec.Exclusive && s == nil {
		return nil, false, errors.New("broker: exclusive queue without a session")
	}
	if err := n.enter(ctx); err != nil {
		return nil, false, err
	}
	defer n.mu.Unlock()
	if old, ok := n.Topology().Queue(spec.Name); ok {
		return old, false, n.renew(ctx, old)
	}
	if spec.Exclusive && s.closed.Load() {
		return nil, false, closedError()
	}
	if most := n.quota.Load().MaxQueues; over(most, int64(n.Topology().count), 1) {
		return nil, false, fault.New(fault.Exhausted, "quota of %d queues", most.N)
	}
	if err := n.settable(&spec.Limits); err != nil {
		return nil, false, err
	}
	spec.Arguments = bytes.Clone(spec.Arguments)
	q = newQueue(n, spec)
	c := n.begin()
	if spec.stored() {
		c.row(q.create)
	} else if q.id, err = n.core.temporaryID(); err != nil {
		return nil, false, err
	}
	c.next.count++
	c.next.queues = c.next.queues.with(c.next.seed, spec.Name, q)
	if err := c.bindAll(q, bindings); err != nil {
		return nil, false, err
	}
	if err := c.commit(ctx); err != nil {
		return nil, false, err
	}
	n.counts.created.Add(1)
	if spec.Exclusive {
		q.owner = s
		s.exclusive = append(s.exclusive, q)
	}
	return q, true, n.renew(ctx, q)
}

// create gives the queue its id and row.
func (q *Queue) create(tx *control.Tx) error {
	id, err := tx.Next(control.TableBrokerMeta, []byte("q"))
	if err != nil {
		return err
	}
	q.id = queueID(id)
	tx.Put(control.TableQueue, queueRow(q.namespace.id, q.id), appendQueueRow(nil, &q.spec))
	return nil
}

// temporaryID gives the id of a queue that ends with the process: the top bit,
// 31 bits of the number of this start, and a count.
func (c *Core) temporaryID() (queueID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.temporary == ^uint32(0) {
		return 0, errors.New("broker: temporary queues of this start are used up")
	}
	c.temporary++
	start := uint64(c.db.StartNumber()) << 32
	return temporaryQueue | queueID(start) | queueID(c.temporary), nil
}

// Bind adds the binding; an existing one is no error. It is durable when both
// ends are. Errors: fault.NotFound naming the missing end; fault.Invalid, also for
// a key that is no weight at a Hashed address.
func (n *Namespace) Bind(ctx context.Context, b Binding) error {
	if err := b.check(); err != nil {
		return err
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	t := n.Topology()
	if _, ok := t.Address(b.Source); !ok {
		return fault.New(fault.NotFound, "no address '%s'", b.Source)
	}
	c := n.begin()
	q, err := c.end(&b)
	if err != nil {
		return err
	}
	if n.ends[q][bindingKey{b.Source, b.Key, string(b.Arguments)}] != nil {
		return nil
	}
	if err := c.bind(q, b); err != nil {
		return err
	}
	return c.commit(ctx)
}

// check reports what keeps a binding from being stored.
func (b *Binding) check() error {
	if len(b.Key) > MaxName || len(b.Arguments) > MaxArguments {
		return fault.New(fault.Invalid, "key or arguments of a binding are too long")
	}
	return nil
}

// Bound reports whether the binding is there.
func (n *Namespace) Bound(ctx context.Context, b Binding) (bool, error) {
	if err := n.enter(ctx); err != nil {
		return false, err
	}
	defer n.mu.Unlock()
	q, err := n.begin().end(&b)
	if err != nil {
		return false, nil // an end is missing
	}
	return n.ends[q][bindingKey{b.Source, b.Key, string(b.Arguments)}] != nil, nil
}

// Unbind removes the binding; a missing one is no error.
func (n *Namespace) Unbind(ctx context.Context, b Binding) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	c := n.begin()
	q, err := c.end(&b)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	old := n.ends[q][bindingKey{b.Source, b.Key, string(b.Arguments)}]
	if old == nil {
		return nil
	}
	c.unbind(old)
	return c.commit(ctx)
}
