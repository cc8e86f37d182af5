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
	r, ok := t.addresses.get(t.seed, address)
	if !ok || address == "" {
		return t.Route(dst, address, key)
	}
	from := len(dst)
	if r.address.Kind == Matched {
		dst = r.fanout.appendTo(dst)
	} else if dst, _ = t.Route(dst, address, key); !r.asks {
		return dst, true
	}
	left := dst[:from]
	for _, q := range dst[from:] {
		if r.wants(t, q, key, match) {
			left = append(left, q)
		}
	}
	clear(dst[len(left):])
	return left, true
}

// wants reports whether one of the bindings of q, which Route found, is for this
// message.
func (r *route) wants(t *Topology, q *Queue, key string, match func(Binding) bool) bool {
	list, ok := r.choosy.get(t.seed, q.spec.Name)
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
	name := b.queue.spec.Name
	list, ok := r.choosy.get(t.seed, name)
	switch {
	case ok:
		list = append(slices.Clone(list), b)
	case b.key.args == "" && r.address.Kind != Matched:
		return
	default:
		list = append(slices.Clone(old()), b)
	}
	r.asks = true
	r.choosy = r.choosy.with(t.seed, name, list)
}

// unask is the reverse of ask.
func (r *route) unask(t *Topology, b *binding) {
	name := b.queue.spec.Name
	old, ok := r.choosy.get(t.seed, name)
	if !ok {
		return
	}
	var list []*binding
	choosy := false
	for _, x := range old {
		if x != b {
			list = append(list, x)
			choosy = choosy || x.key.args != "" || r.address.Kind == Matched
		}
	}
	if choosy {
		r.choosy = r.choosy.with(t.seed, name, list)
	} else {
		r.choosy = r.choosy.without(t.seed, name)
	}
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
