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
	keyless bool    // its key does not matter
	weight  float64 // at a Hashed address
	place   uint64  // the same: of its end among all
	shown   Binding
}

// change is a change of a topology in the making: the next snapshot, the
// bindings that come and go, and what it does to shard 0. It begins and ends
// under Namespace.mu.
type change struct {
	n       *Namespace
	next    Topology
	added   []*binding
	removed []*binding
	lost    map[*binding]struct{} // removed
	gone    map[way]int           // of removed
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
	n.install.Lock()
	defer n.install.Unlock()
	for _, b := range c.removed {
		if w := b.way(); n.ways[w] > 1 {
			n.ways[w]--
		} else {
			delete(n.ways, w)
		}
		delete(n.ends[b.queue], b.key)
		delete(n.sources[b.key.source], b)
		if len(n.ends[b.queue]) == 0 {
			delete(n.ends, b.queue)
			n.takeDown(b.queue)
		}
		if len(n.sources[b.key.source]) == 0 {
			delete(n.sources, b.key.source)
		}
	}
	for _, b := range c.added {
		n.index(b)
	}
	n.topology.Store(&c.next)
}

// bind adds a binding to q, which may be in the making. Errors: fault.NotFound.
func (c *change) bind(q *Queue, want Binding) error {
	t, n := &c.next, c.n
	r, ok := t.addresses.get(t.seed, want.Source)
	if !ok {
		return fault.New(fault.NotFound, "no address '%s'", want.Source)
	}
	if r.address.Kind == Hashed {
		if _, err := weightOf(want.Key); err != nil {
			return err
		}
	}
	key := bindingKey{want.Source, want.Key, string(want.Arguments)}
	for _, b := range c.added {
		if b.queue == q && b.key == key {
			return nil
		}
	}
	old := func() []*binding {
		list := n.boundTo(q, want.Source)
		for _, b := range c.added {
			if b.queue == q && b.key.source == key.source && b.key != key {
				list = append(list, b)
			}
		}
		return list
	}
	b := newBinding(key, q, r.address.Durable && t.stored(q), r.address.Kind)
	c.added = append(c.added, b)
	t.addresses = t.addresses.with(t.seed, want.Source, r.with(t, b, old))
	if b.durable {
		c.row(func(tx *control.Tx) error {
			id := bindingRow(n.core.db, n.id, b)
			tx.Put(control.TableBinding, id, appendBindingRow(nil, b))
			return nil
		})
	}
	return nil
}

func (c *change) bindAll(q *Queue, list []Binding) error {
	for i := range list {
		if err := list[i].check(); err != nil {
			return err
		}
		if err := c.bind(q, list[i]); err != nil {
			return err
		}
	}
	return nil
}

func newBinding(key bindingKey, q *Queue, durable bool, kind AddressKind) *binding {
	shown := Binding{
		Source: key.source, Key: key.key, Arguments: []byte(key.args), Kind: kind, Memo: new(Memo),
	}
	if q.post {
		shown.Address = q.spec.Name
	} else {
		shown.Queue = q.spec.Name
	}
	b := &binding{
		key: key, queue: q, durable: durable, keyless: kind.keyless(), shown: shown,
	}
	if kind.single() {
		b.weigh(kind)
	}
	return b
}

// way is what messages take from an address to a queue: bindings that differ in
// their arguments only, or lead from an address where keys do not matter, are one.
type way struct {
	queue       *Queue
	source, key string
}

func (b *binding) way() way {
	if b.keyless {
		return way{queue: b.queue, source: b.key.source}
	}
	return way{b.queue, b.key.source, b.key.key}
}

// single reports whether a message goes to one of the bindings.
func (k AddressKind) single() bool { return k == Hashed || k == Drawn }

// keyless reports whether keys of bindings do not matter.
func (k AddressKind) keyless() bool { return k == Fanout || k == Matched }

// index notes a binding under both its ends.
func (n *Namespace) index(b *binding) {
	if n.ends[b.queue] == nil {
		n.ends[b.queue] = map[bindingKey]*binding{}
	}
	if n.sources[b.key.source] == nil {
		n.sources[b.key.source] = map[*binding]struct{}{}
	}
	n.ends[b.queue][b.key] = b
	if b.queue.post {
		n.posts[b.queue.spec.Name] = b.queue
	}
	n.ways[b.way()]++
	n.sources[b.key.source][b] = struct{}{}
}

// unbind takes a binding out of the next snapshot, and its address when that
// goes with its last binding.
func (c *change) unbind(b *binding) {
	t := &c.next
	r, ok := t.addresses.get(t.seed, b.key.source)
	if !c.lose(b) || !ok { // its address goes in the same change
		return
	}
	next := r.without(t, b, c.last(b))
	if next.bindings == 0 && r.address.AutoDelete {
		c.dropAddress(&r.address)
		return
	}
	t.addresses = t.addresses.with(t.seed, b.key.source, next)
}

// lose notes that b goes, and reports whether that is new.
func (c *change) lose(b *binding) bool {
	if _, again := c.lost[b]; again {
		return false
	}
	if c.lost == nil {
		c.lost = map[*binding]struct{}{}
	}
	c.lost[b] = struct{}{}
	c.removed = append(c.removed, b)
	if b.durable {
		c.delete(control.TableBinding, bindingRow(c.n.core.db, c.n.id, b))
	}
	return true
}

// last reports whether no other binding that stays leads the same way as b, and
// notes that b does not stay.
func (c *change) last(b *binding) bool {
	if c.gone == nil {
		c.gone = map[way]int{}
	}
	w := b.way()
	c.gone[w]++
	return c.gone[w] == c.n.ways[w]
}

// dropAddress takes an address out of the next snapshot, with the bindings from and
// to it. Other addresses that had no binding but those may go with it.
func (c *change) dropAddress(a *Address) {
	c.next.addresses = c.next.addresses.without(c.next.seed, a.Name)
	if a.Durable {
		c.delete(control.TableAddress, addressRow(c.n.core.db, c.n.id, a.Name))
	}
	for b := range c.n.sources[a.Name] {
		c.lose(b)
	}
	for _, b := range c.n.ends[c.n.posts[a.Name]] {
		c.unbind(b)
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
	if n.moved.Load() {
		n.mu.Unlock()
		return movedError()
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
