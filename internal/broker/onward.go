package broker

import (
	"strconv"

	"coffer/internal/fault"
)

// A binding that leads to an address ends at a signpost: a Queue that never has a
// message and stands for the address of its name. So it lies in the same sets as the
// queues of bindings, and only a route that has one looks for them.

// Guide is what leads a message beside its key. The zero value is nothing.
type Guide struct {
	Keys []string // further keys
	// Match has a say about bindings that have arguments, and about all of Matched
	// addresses: see RouteMatch. nil: no binding of a Matched address, and all others.
	Match func(Binding) bool
	// Hash gives what decides at a Hashed address; nil, or false: the key does. The
	// result is not kept.
	Hash func(Address) ([]byte, bool)
}

// RouteBy is Route for a message that has more to say than its key. It follows
// bindings to other addresses, each address once, and goes on to the alternate of an
// address that has no binding for any of the keys. g is not changed. It allocates
// only to grow dst, for keys, or when it meets many addresses.
func (t *Topology) RouteBy(dst []*Queue, address, key string, g *Guide) ([]*Queue, bool) {
	if address == "" {
		from := len(dst)
		dst, _ = t.Route(dst, "", key)
		for _, k := range g.Keys {
			dst, _ = t.Route(dst, "", k)
		}
		return unique(dst, from), true
	}
	r, ok := t.addresses.get(t.seed, address)
	if !ok {
		return dst, false
	}
	if r.far() {
		return t.walk(dst, r, key, g), true
	}
	return r.guided(t, dst, key, g), true
}

// far reports whether what the bindings say is not all.
func (r *route) far() bool { return r.posts > 0 || r.address.Alternate != "" }

// guided appends where the bindings of the address itself lead.
func (r *route) guided(t *Topology, dst []*Queue, key string, g *Guide) []*Queue {
	switch kind := r.address.Kind; {
	case g == nil:
		return r.reach(t, dst, key)
	case kind == Drawn:
		return r.reach(t, dst, key)
	case kind == Hashed && g.Hash != nil:
		if text, ok := g.Hash(r.address); ok {
			return r.spreadBytes(dst, text)
		}
		return r.reach(t, dst, key)
	case kind == Matched && g.Match == nil:
		return dst
	case kind == Fanout || kind == Matched || kind == Hashed || len(g.Keys) == 0:
		return r.one(t, dst, key, g)
	}
	from := len(dst)
	dst = r.one(t, dst, key, g)
	for _, k := range g.Keys {
		dst = r.one(t, dst, k, g)
	}
	return unique(dst, from)
}

// one is guided for one of the keys.
func (r *route) one(t *Topology, dst []*Queue, key string, g *Guide) []*Queue {
	if g.Match == nil {
		return r.reach(t, dst, key)
	}
	return r.asked(t, dst, key, g.Match)
}

// walk follows signposts and alternates from an address on.
func (t *Topology) walk(dst []*Queue, first *route, key string, g *Guide) []*Queue {
	var few [16]*route
	seen, index := append(few[:0], first), map[*route]struct{}(nil)
	from, sources := len(dst), 0
	for i := 0; i < len(seen); i++ {
		r, at := seen[i], len(dst)
		if dst = r.guided(t, dst, key, g); len(dst) == at {
			seen, index = t.visit(seen, index, r.address.Alternate)
			continue
		}
		left := dst[:at]
		for _, q := range dst[at:] {
			if q.post {
				seen, index = t.visit(seen, index, q.spec.Name)
			} else {
				left = append(left, q)
			}
		}
		clear(dst[len(left):])
		if dst = left; len(dst) > at {
			sources++
		}
	}
	if sources > 1 {
		dst = unique(dst, from)
	}
	return dst
}

// visit adds an address, if it is there, to a list without repetitions. Like a
// distinct it is searched while it is short, and has an index then.
func (t *Topology) visit(seen []*route, index map[*route]struct{}, name string) (
	[]*route, map[*route]struct{},
) {
	r, ok := t.addresses.get(t.seed, name)
	if !ok {
		return seen, index
	}
	if index == nil {
		for _, x := range seen {
			if x == r {
				return seen, nil
			}
		}
	} else if _, again := index[r]; again {
		return seen, index
	}
	if seen = append(seen, r); index != nil {
		index[r] = struct{}{}
	} else if len(seen) > distinctIndex {
		index = make(map[*route]struct{}, 4*distinctIndex)
		for _, x := range seen {
			index[x] = struct{}{}
		}
	}
	return seen, index
}

// unique removes repetitions behind list[:from].
func unique(list []*Queue, from int) []*Queue {
	if len(list)-from < 2 {
		return list
	}
	d := distinct{list: list[:from], from: from}
	for _, q := range list[from:] {
		d.add(q) // what it writes was read
	}
	clear(list[len(d.list):])
	return d.list
}

// end finds the queue that a binding leads to, or makes a signpost to its address.
// Errors: fault.NotFound.
func (c *change) end(b *Binding) (*Queue, error) {
	if b.Address == "" {
		q, ok := c.next.Queue(b.Queue)
		if !ok {
			return nil, fault.New(fault.NotFound, "no queue '%s'", b.Queue)
		}
		return q, nil
	}
	if _, ok := c.next.Address(b.Address); !ok {
		return nil, fault.New(fault.NotFound, "no address '%s'", b.Address)
	}
	if q := c.n.posts[b.Address]; q != nil {
		return q, nil
	}
	return &Queue{namespace: c.n, spec: QueueSpec{Name: b.Address}, post: true}, nil
}

// stored reports whether a binding to q may be durable.
func (t *Topology) stored(q *Queue) bool {
	if !q.post {
		return q.spec.stored()
	}
	a, _ := t.Address(q.spec.Name)
	return a.Durable
}

// takeDown forgets a signpost to which no binding leads any more.
func (n *Namespace) takeDown(q *Queue) {
	if q.post {
		delete(n.posts, q.spec.Name)
	}
}

// weightOf reads the key of a binding of a Hashed address.
func weightOf(key string) (uint32, error) {
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil || n < 1 || n > 1<<32-1 {
		return 0, fault.New(fault.Invalid, "key '%s' is no weight", key)
	}
	return uint32(n), nil
}
