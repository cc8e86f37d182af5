package broker

import "slices"

// RouteMatch is Route where bindings have a say beside their keys: a queue is among
// the targets when match says yes to one of its bindings to the address whose key
// fits. Bindings without arguments are not asked about, but at a Matched address
// all are. match gets what was bound, and must not change the arguments. Matched
// addresses have targets by RouteMatch only.
func (t *Topology) RouteMatch(
	dst []*Queue, address, key string, match func(Binding) bool,
) ([]*Queue, bool) {
	g := Guide{Match: match}
	return t.RouteBy(dst, address, key, &g)
}

// asked appends where the bindings lead that fit key and to which match says yes.
func (r *route) asked(
	t *Topology, dst []*Queue, key string, match func(Binding) bool,
) []*Queue {
	from := len(dst)
	if r.address.Kind == Matched {
		dst = r.fanout.appendTo(dst)
	} else if dst = r.reach(t, dst, key); !r.asks {
		return dst
	}
	left := dst[:from]
	for _, q := range dst[from:] {
		if r.wants(t, q, key, match) {
			left = append(left, q)
		}
	}
	clear(dst[len(left):])
	return left
}

// wants reports whether one of the bindings of q, which Route found, is for this
// message.
func (r *route) wants(t *Topology, q *Queue, key string, match func(Binding) bool) bool {
	list, ok := r.choosyOf(q).get(t.seed, q.spec.Name)
	if !ok {
		return true // no binding of it has arguments
	}
	for _, b := range list {
		if !r.fits(b.key.key, key) {
			continue
		}
		if b.key.args == "" && r.address.Kind != Matched || match(b.shown) {
			return true
		}
	}
	return false
}

// fits reports whether a binding by bound is for a message with key.
func (r *route) fits(bound, key string) bool {
	switch r.address.Kind {
	case Direct:
		return bound == key
	case Pattern:
		return patternFits(bound, key)
	}
	return true
}

// patternFits is pattern.match for one pattern. It goes back to the last # only,
// so its work is bounded by the product of the words.
func patternFits(bound, key string) bool {
	at, from := 0, 0
	retryBound, retryKey := -1, 0
	for {
		word, rest, more := nextWord(bound, at)
		text, next, some := nextWord(key, from)
		switch {
		case more && word == "#":
			at, retryBound, retryKey = rest, rest, from
		case more && some && (word == "*" || word == text):
			at, from = rest, next
		case !more && !some:
			return true
		default: // the last # takes one word more
			_, next, some = nextWord(key, retryKey)
			if retryBound < 0 || !some {
				return false
			}
			retryKey = next
			at, from = retryBound, next
		}
	}
}

// ask notes that q is bound by b, after the bindings that old gives.
func (r *route) ask(t *Topology, b *binding, old func() []*binding) {
	name, choosy := b.queue.spec.Name, r.choosyOf(b.queue)
	list, ok := choosy.get(t.seed, name)
	switch {
	case ok:
		list = append(slices.Clone(list), b)
	case b.key.args == "" && r.address.Kind != Matched:
		return
	default:
		list = append(slices.Clone(old()), b)
	}
	r.asks = true
	*choosy = choosy.with(t.seed, name, list)
}

// choosyOf gives the table where q is: a queue and an address may have one name.
func (r *route) choosyOf(q *Queue) *table[[]*binding] {
	if q.post {
		return &r.choosyPosts
	}
	return &r.choosy
}

// unask is the reverse of ask.
func (r *route) unask(t *Topology, b *binding) {
	name, choosy := b.queue.spec.Name, r.choosyOf(b.queue)
	old, ok := choosy.get(t.seed, name)
	if !ok {
		return
	}
	list, some := leave(old, b), false
	for _, x := range list {
		some = some || x.key.args != "" || r.address.Kind == Matched
	}
	if some {
		*choosy = choosy.with(t.seed, name, list)
	} else {
		*choosy = choosy.without(t.seed, name)
	}
}

// leave gives a list without b, because snapshots share the old one.
func leave(list []*binding, b *binding) []*binding {
	left := make([]*binding, 0, len(list))
	for _, x := range list {
		if x != b {
			left = append(left, x)
		}
	}
	return left
}

// boundTo gives the bindings of q to an address.
func (n *Namespace) boundTo(q *Queue, source string) (list []*binding) {
	for key, b := range n.ends[q] {
		if key.source == source {
			list = append(list, b)
		}
	}
	return list
}
