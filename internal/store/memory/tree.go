package memory

import (
	"bytes"
	"math/rand/v2"
)

// A node is the root of a persistent treap: ordered by key, heap-ordered by a
// random weight. No node changes after it was made, so an old root is a
// snapshot; an effect copies only the path it changes.
type node struct {
	key, value  []byte
	weight      uint64
	left, right *node
}

// with gives a copy of n that has other children.
func (n *node) with(left, right *node) *node {
	c := *n
	c.left, c.right = left, right
	return &c
}

// split parts the tree into the keys below key and the others.
func (n *node) split(key []byte) (below, rest *node) {
	if n == nil {
		return nil, nil
	}
	if bytes.Compare(n.key, key) < 0 {
		l, r := n.right.split(key)
		return n.with(n.left, l), r
	}
	l, r := n.left.split(key)
	return l, n.with(r, n.right)
}

// join puts two trees together; every key of a is below every key of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight > b.weight:
		return a.with(a.left, join(a.right, b))
	default:
		return b.with(join(a, b.left), b.right)
	}
}

// set gives the tree with value at key; it keeps both slices.
func (n *node) set(key, value []byte) *node {
	below, rest := n.split(key)
	_, above := rest.split(after(key))
	mid := &node{key: key, value: value, weight: rand.Uint64()}
	return join(join(below, mid), above)
}

// drop gives the tree without the keys k with lower <= k < upper.
func (n *node) drop(lower, upper []byte) *node {
	if bytes.Compare(lower, upper) >= 0 {
		return n
	}
	below, rest := n.split(lower)
	_, above := rest.split(upper)
	return join(below, above)
}

func (n *node) get(key []byte) (value []byte, ok bool) {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n.value, true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil, false
}

// after is the smallest key above key.
func after(key []byte) []byte {
	return append(append(make([]byte, 0, len(key)+1), key...), 0)
}
