package broker

import (
	"context"
	"errors"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// MaxArguments bounds the arguments of a declaration, in bytes.
const MaxArguments = 128 << 10

// bindingKey identifies a binding of one queue.
type bindingKey struct{ source, key, args string }

type binding struct {
	key     bindingKey
	queue   *Queue
	durable bool
}

// change is a change of a topology in the making: the next snapshot, the
// bindings that come and go, and what it does to shard 0. It begins and ends
// under Namespace.mu.
type change struct {
	n       *Namespace
	next    Topology
	added   *binding
	removed []*binding
	rows    []func(*control.Tx) error
}

func (n *Namespace) begin() *change { return &change{n: n, next: *n.Topology()} }

// row adds an effect on shard 0.
func (c *change) row(fn func(*control.Tx) error) { c.rows = append(c.rows, fn) }

// delete adds the deletion of a row.
func (c *change) delete(t control.Table, id []byte) {
	c.row(func(tx *control.Tx) error {
		tx.Delete(t, id)
		return nil
	})
}

// commit makes the change durable, if it has effects, and then visible.
func (c *change) commit(ctx context.Context) error {
	if len(c.rows) == 0 {
		c.install()
		return nil
	}
	n := c.n
	return n.core.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		_, ok, err := tx.Get(control.TableBrokerMeta, namespaceRow(n.id))
		if err != nil {
			return err
		}
		if !ok {
			return namespaceGone()
		}
		for _, fn := range c.rows {
			if err := fn(tx); err != nil {
				return err
			}
		}
		tx.After(c.install)
		return nil
	})
}

func (c *change) install() {
	n := c.n
	for _, b := range c.removed {
		delete(n.ends[b.queue], b.key)
		delete(n.sources[b.key.source], b)
		if len(n.ends[b.queue]) == 0 {
			delete(n.ends, b.queue)
		}
		if len(n.sources[b.key.source]) == 0 {
			delete(n.sources, b.key.source)
		}
	}
	if b := c.added; b != nil {
		n.index(b)
	}
	n.topology.Store(&c.next)
}

// index notes a binding under both its ends.
func (n *Namespace) index(b *binding) {
	if n.ends[b.queue] == nil {
		n.ends[b.queue] = map[bindingKey]*binding{}
	}
	if n.sources[b.key.source] == nil {
		n.sources[b.key.source] = map[*binding]struct{}{}
	}
	n.ends[b.queue][b.key] = b
	n.sources[b.key.source][b] = struct{}{}
}

// unbind takes a binding out of the next snapshot, and its address when that
// goes with its last binding.
func (c *change) unbind(b *binding) {
	t := &c.next
	r, _ := t.addresses.get(t.seed, b.key.source)
	next := r.without(t.seed, b.key.key, b.queue, c.last(b, r.address.Kind))
	c.removed = append(c.removed, b)
	if b.durable {
		c.delete(control.TableBinding, bindingRow(c.n.core.db, c.n.id, b))
	}
	if next.bindings == 0 && r.address.AutoDelete {
		c.dropAddress(&r.address)
		return
	}
	t.addresses = t.addresses.with(t.seed, b.key.source, next)
}

// last reports whether no other binding that stays leads the same way as b.
func (c *change) last(b *binding, kind AddressKind) bool {
	for key, other := range c.n.ends[b.queue] {
		if other == b || key.source != b.key.source || kind != Fanout && key.key != b.key.key {
			continue
		}
		gone := false
		for _, x := range c.removed {
			gone = gone || x == other
		}
		if !gone {
			return false
		}
	}
	return true
}

func (c *change) dropAddress(a *Address) {
	c.next.addresses = c.next.addresses.without(c.next.seed, a.Name)
	if a.Durable {
		c.delete(control.TableAddress, addressRow(c.n.core.db, c.n.id, a.Name))
	}
}

// enter takes the turn to change the topology; the caller unlocks n.mu.
func (n *Namespace) enter(ctx context.Context) error {
	if control.From(ctx) != nil {
		return errors.New("broker: change of a topology within another unit of work")
	}
	n.mu.Lock()
	if n.gone.Load() {
		n.mu.Unlock()
		return namespaceGone()
	}
	return nil
}

func namespaceGone() error { return fault.New(fault.NotFound, "no such namespace") }

func checkName(what, name string, args []byte) error {
	switch {
	case name == "":
		return fault.New(fault.Invalid, "empty name of %s", what)
	case len(name) > MaxName:
		return fault.New(fault.Invalid, "name of %s is longer than %d bytes", what, MaxName)
	case len(args) > MaxArguments:
		return fault.New(fault.Invalid, "arguments of %s are over %d bytes", what, MaxArguments)
	}
	return nil
}
