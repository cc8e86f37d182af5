package memory

import (
	"bytes"

	"coffer/internal/store"
)

var (
	_ store.Snapshot = (*snapshot)(nil)
	_ store.Iterator = (*iterator)(nil)
)

// snapshot is a root that nobody changes; err is set when it was asked of a
// closed engine.
type snapshot struct {
	root *node
	pos  store.Position
	err  error
}

func (s *snapshot) Get(key []byte) (value []byte, ok bool, err error) {
	if s.err != nil {
		return nil, false, s.err
	}
	v, ok := s.root.get(key)
	return bytes.Clone(v), ok, nil
}

func (s *snapshot) Position() store.Position { return s.pos }

func (s *snapshot) Close() error { return nil }

func (s *snapshot) Iter(lower, upper []byte) store.Iterator {
	it := &iterator{upper: bytes.Clone(upper), bounded: upper != nil, err: s.err}
	if s.err == nil {
		it.seek(s.root, lower)
	}
	return it
}

// iterator walks in order; path holds the nodes whose turn comes, the next one
// last.
type iterator struct {
	path    []*node
	at      *node
	upper   []byte
	bounded bool
	err     error
}

// seek puts the nodes at or above lower on the path.
func (it *iterator) seek(n *node, lower []byte) {
	for n != nil {
		if bytes.Compare(n.key, lower) < 0 {
			n = n.right
			continue
		}
		it.path = append(it.path, n)
		n = n.left
	}
}

func (it *iterator) Next() bool {
	if len(it.path) == 0 {
		it.at = nil
		return false
	}
	n := it.path[len(it.path)-1]
	it.path = it.path[:len(it.path)-1]
	if it.bounded && bytes.Compare(n.key, it.upper) >= 0 {
		it.path, it.at = nil, nil
		return false
	}
	for r := n.right; r != nil; r = r.left {
		it.path = append(it.path, r)
	}
	it.at = n
	return true
}

func (it *iterator) Key() []byte   { return it.at.key }
func (it *iterator) Value() []byte { return it.at.value }
func (it *iterator) Err() error    { return it.err }
func (it *iterator) Close() error  { return nil }
