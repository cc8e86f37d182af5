package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"coffer/internal/store"
)

var (
	_ store.Snapshot = (*snapshot)(nil)
	_ store.Iterator = (*iterator)(nil)
	_ store.Snapshot = closedSnapshot{}
	_ store.Iterator = noIterator{}
)

// snapshot shows one shard of a snapshot of Pebble.
type snapshot struct {
	place *place
	view  *pebble.Snapshot
	once  sync.Once
	pos   store.Position // read on demand
}

func (o *owner) Snapshot() store.Snapshot {
	e := o.place.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return closedSnapshot{}
	}
	e.snapshots++
	return &snapshot{place: o.place, view: e.db.NewSnapshot()}
}

func (s *snapshot) Get(key []byte) (value []byte, ok bool, err error) {
	v, closer, err := s.view.Get(dataKey(s.place.id, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.place.readError(err)
	}
	value = bytes.Clone(v)
	if err := closer.Close(); err != nil {
		return nil, false, s.place.readError(err)
	}
	return value, true, nil
}

// Position reads the record that stands in the snapshot, so that it fits what
// the snapshot shows. Every start reads it, so a failure here is a failure of
// the disk.
func (s *snapshot) Position() store.Position {
	s.once.Do(func() {
		pos, err := position(s.view, s.place.id)
		if err != nil {
			s.place.engine.fail(s.place.readError(err))
		}
		s.pos = pos
	})
	return s.pos
}

func (s *snapshot) Close() error {
	e := s.place.engine
	if err := e.closer.take(s.view); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots--
	return nil
}

func (s *snapshot) Iter(lower, upper []byte) store.Iterator {
	opts := pebble.IterOptions{
		LowerBound: dataKey(s.place.id, lower),
		UpperBound: dataEnd(s.place.id),
	}
	if upper != nil {
		opts.UpperBound = dataKey(s.place.id, upper)
	}
	if bytes.Compare(opts.LowerBound, opts.UpperBound) >= 0 {
		return noIterator{}
	}
	it, err := s.view.NewIter(&opts)
	if err != nil {
		return noIterator{s.place.readError(err)}
	}
	return &iterator{place: s.place, it: it}
}

// readError names the damaged file where Pebble knows it.
func (p *place) readError(err error) error {
	return fmt.Errorf("read shard %d: %w", p.id, damage(err, p.engine.path(dataName)))
}

// iterator hides the prefix of the shard.
type iterator struct {
	place   *place
	it      *pebble.Iterator
	started bool
	value   []byte
	err     error
}

func (it *iterator) Next() bool {
	if it.err != nil {
		return false
	}
	var ok bool
	if it.started {
		ok = it.it.Next()
	} else {
		it.started = true
		ok = it.it.First()
	}
	if !ok {
		if err := it.it.Error(); err != nil {
			it.err = it.place.readError(err)
		}
		return false
	}
	var err error
	if it.value, err = it.it.ValueAndErr(); err != nil {
		it.err = it.place.readError(err)
		return false
	}
	return true
}

func (it *iterator) Key() []byte   { return it.it.Key()[prefixLen:] }
func (it *iterator) Value() []byte { return it.value }
func (it *iterator) Err() error    { return it.err }

func (it *iterator) Close() error {
	if err := it.it.Close(); err != nil && it.err == nil {
		return it.place.readError(err)
	}
	return it.err
}

// noIterator walks nothing; err says why when that is a failure.
type noIterator struct{ err error }

func (noIterator) Next() bool    { return false }
func (noIterator) Key() []byte   { return nil }
func (noIterator) Value() []byte { return nil }
func (it noIterator) Err() error { return it.err }
func (noIterator) Close() error  { return nil }

// closedSnapshot is what a closed engine gives.
type closedSnapshot struct{}

func (closedSnapshot) Get([]byte) ([]byte, bool, error) { return nil, false, store.ErrClosed }
func (closedSnapshot) Iter(_, _ []byte) store.Iterator  { return noIterator{store.ErrClosed} }
func (closedSnapshot) Position() store.Position         { return store.Position{} }
func (closedSnapshot) Close() error                     { return nil }
