package broker

import (
	"hash/maphash"
	"math/rand/v2"
)

// Topology is an immutable snapshot of the addresses and queues of a namespace.
type Topology struct {
	seed      maphash.Seed
	addresses table[*route]
	queues    table[*Queue]
	count     int // queues
}

// Address gives the address of that name; "" is not among them.
func (t *Topology) Address(name string) (Address, bool) {
	r, ok := t.addresses.get(t.seed, name)
	if !ok {
		return Address{}, false
	}
	return r.address, true
}

// Queue gives the queue of that name.
func (t *Topology) Queue(name string) (*Queue, bool) { return t.queues.get(t.seed, name) }

// Addresses calls fn for every address, in no order, until it returns false.
func (t *Topology) Addresses(fn func(Address) bool) {
	t.addresses.each(func(r *route) bool { return fn(r.address) })
}

// Queues calls fn for every queue, in no order, until it returns false.
func (t *Topology) Queues(fn func(*Queue) bool) { t.queues.each(fn) }

// Route appends the queues that a message published to address with key goes
// to, each once, and reports whether the address exists. The address "" leads
// to the queue named key. It allocates only to grow dst. Of bindings nothing is asked,
// so Matched addresses lead nowhere; see RouteBy.
func (t *Topology) Route(dst []*Queue, address, key string) ([]*Queue, bool) {
	if address == "" {
		if q, ok := t.Queue(key); ok {
			dst = append(dst, q)
		}
		return dst, true
	}
	r, ok := t.addresses.get(t.seed, address)
	if !ok {
		return dst, false
	}
	if r.far() {
		return t.walk(dst, r, key, nil), true
	}
	return r.reach(t, dst, key), true
}

// reach appends where the bindings lead that need nothing but the key.
func (r *route) reach(t *Topology, dst []*Queue, key string) []*Queue {
	switch r.address.Kind {
	case Direct:
		queues, _ := r.direct.get(t.seed, key)
		return queues.appendTo(dst)
	case Fanout:
		return r.fanout.appendTo(dst)
	case Matched:
		return dst
	case Hashed:
		return r.spread(dst, key)
	case Drawn:
		return r.best(dst, rand.Uint64())
	}
	return r.pattern.match(t.seed, dst, key)
}

// route is an address with its bindings, in the form in which they are matched.
type route struct {
	address  Address
	bindings int
	posts    int // of bindings: those to other addresses
	direct   table[crowd]
	fanout   crowd
	pattern  *pattern
	hashed   []*binding
	choosy   table[[]*binding] // by name, all of queues with a binding to be asked about
	asks     bool              // that was not always empty, or this:

	choosyPosts table[[]*binding] // the same of addresses that bindings lead to
}

// with gives the route with one more binding; old gives those of its queue to the
// same address.
func (r route) with(t *Topology, b *binding, old func() []*binding) *route {
	seed, key, q := t.seed, b.key.key, b.queue
	r.bindings++
	if q.post {
		r.posts++
	}
	if r.address.Kind.single() {
		r.hashed = append(r.hashed[:len(r.hashed):len(r.hashed)], b)
		return &r
	}
	r.ask(t, b, old)
	switch r.address.Kind {
	case Direct:
		old, _ := r.direct.get(seed, key)
		r.direct = r.direct.with(seed, key, old.with(seed, q))
	case Fanout, Matched:
		r.fanout = r.fanout.with(seed, q)
	case Pattern:
		r.pattern = r.pattern.with(seed, key, func(c crowd) crowd { return c.with(seed, q) })
	}
	return &r
}

// without gives the route after a binding went; last tells that no other binding
// leads to its queue in the same way.
func (r route) without(t *Topology, b *binding, last bool) *route {
	seed, key, q := t.seed, b.key.key, b.queue
	r.bindings--
	if q.post {
		r.posts--
	}
	if r.address.Kind.single() {
		r.hashed = leave(r.hashed, b)
		return &r
	}
	r.unask(t, b)
	if !last {
		return &r
	}
	switch r.address.Kind {
	case Direct:
		old, _ := r.direct.get(seed, key)
		if left := old.without(seed, q); left.n > 0 {
			r.direct = r.direct.with(seed, key, left)
		} else {
			r.direct = r.direct.without(seed, key)
		}
	case Fanout, Matched:
		r.fanout = r.fanout.without(seed, q)
	case Pattern:
		r.pattern = r.pattern.with(seed, key, func(c crowd) crowd { return c.without(seed, q) })
	}
	return &r
}
