package broker

import "hash/maphash"

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
// to the queue named key. It allocates only to grow dst.
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
	switch r.address.Kind {
	case Direct:
		queues, _ := r.direct.get(t.seed, key)
		return append(dst, queues...), true
	case Fanout:
		return append(dst, r.fanout...), true
	case Matched:
		return dst, true
	}
	return r.pattern.match(dst, key), true
}

// route is an address with its bindings, in the form in which they are matched.
// Lists hold a queue once.
type route struct {
	address  Address
	bindings int
	direct   table[[]*Queue]
	fanout   []*Queue
	pattern  *pattern
	choosy   table[[]*binding] // by name, all of queues with a binding to be asked about
	asks     bool              // choosy was not always empty
}

// with gives the route with one more binding; old are those of its queue to the
// same address.
func (r route) with(t *Topology, b *binding, old []*binding) *route {
	seed, key, q := t.seed, b.key.key, b.queue
	r.bindings++
	r.ask(t, b, old)
	switch r.address.Kind {
	case Direct:
		old, _ := r.direct.get(seed, key)
		r.direct = r.direct.with(seed, key, include(old, q))
	case Fanout, Matched:
		r.fanout = include(r.fanout, q)
	case Pattern:
		r.pattern = r.pattern.with(key, func(l []*Queue) []*Queue { return include(l, q) })
	}
	return &r
}

// without gives the route after a binding went; last tells that no other binding
// leads to its queue in the same way.
func (r route) without(t *Topology, b *binding, last bool) *route {
	seed, key, q := t.seed, b.key.key, b.queue
	r.bindings--
	r.unask(t, b)
	if !last {
		return &r
	}
	switch r.address.Kind {
	case Direct:
		old, _ := r.direct.get(seed, key)
		if left := exclude(old, q); len(left) > 0 {
			r.direct = r.direct.with(seed, key, left)
		} else {
			r.direct = r.direct.without(seed, key)
		}
	case Fanout, Matched:
		r.fanout = exclude(r.fanout, q)
	case Pattern:
		r.pattern = r.pattern.with(key, func(l []*Queue) []*Queue { return exclude(l, q) })
	}
	return &r
}

// include and exclude give a new list, because snapshots share the old one.
func include(list []*Queue, q *Queue) []*Queue {
	for _, x := range list {
		if x == q {
			return list
		}
	}
	return append(list[:len(list):len(list)], q)
}

func exclude(list []*Queue, q *Queue) []*Queue {
	left := make([]*Queue, 0, len(list))
	for _, x := range list {
		if x != q {
			left = append(left, x)
		}
	}
	return left
}

// table is an immutable map by name. A change copies one of its buckets, so
// that declaring ten thousand queues does not copy ten thousand maps of them.
// The zero value is empty.
type table[V any] struct{ buckets *[tableBuckets]map[string]V }

const tableBuckets = 128

func bucketOf(seed maphash.Seed, name string) int {
	return int(maphash.String(seed, name) % tableBuckets)
}

func (t table[V]) get(seed maphash.Seed, name string) (v V, ok bool) {
	if t.buckets == nil {
		return v, false
	}
	v, ok = t.buckets[bucketOf(seed, name)][name]
	return v, ok
}

func (t table[V]) each(fn func(V) bool) {
	if t.buckets == nil {
		return
	}
	for _, b := range t.buckets {
		for _, v := range b {
			if !fn(v) {
				return
			}
		}
	}
}

func (t table[V]) with(seed maphash.Seed, name string, v V) table[V] {
	return t.change(seed, name, func(b map[string]V) { b[name] = v })
}

func (t table[V]) without(seed maphash.Seed, name string) table[V] {
	return t.change(seed, name, func(b map[string]V) { delete(b, name) })
}

func (t table[V]) change(seed maphash.Seed, name string, fn func(map[string]V)) table[V] {
	var buckets [tableBuckets]map[string]V
	if t.buckets != nil {
		buckets = *t.buckets
	}
	i := bucketOf(seed, name)
	b := make(map[string]V, len(buckets[i])+1)
	for k, old := range buckets[i] {
		b[k] = old
	}
	fn(b)
	buckets[i] = b
	return table[V]{&buckets}
}
