package embedded

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

var (
	_ store.Snapshot = (*snapshot)(nil)
	_ store.Snapshot = closedSnapshot{}
)

// snapshot shows a shard.
type snapshot struct {
	place *place
	view
}

func (o *owner) Snapshot() store.Snapshot {
	e := o.place.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return closedSnapshot{}
	}
	e.snapshots++
	return &snapshot{o.place, o.place.look()}
}

func (s *snapshot) Get(key []byte) (value []byte, ok bool, err error) {
	for _, t := range s.tables() {
		if r, known := t.get(string(key)); known {
			if r.kind == rowDeleted {
				return nil, false, nil
			}
			value, err = (&window{place: s.place}).value(r)
			return value, err == nil, err
		}
	}
	v, closer, err := s.base.disk.Get(dataKey(s.place.id, key))
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
	err = s.place.found(value)
	return value, err == nil, err
}

func (s *snapshot) Position() store.Position { return s.active.pos }

func (s *snapshot) Close() error {
	e := s.place.engine
	e.letGo(s.base)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots--
	return nil
}

// segment gives the file of the log.
func (e *Engine) segment(n uint64) string {
	return seglog.Path(e.cfg.FS, e.path(logName), n)
}

// readError names the damaged file where Pebble knows it.
func (p *place) readError(err error) error {
	return fmt.Errorf("read shard %d: %w", p.id, damage(err, p.engine.path(dataName)))
}

// closedSnapshot is what a closed engine gives.
type closedSnapshot struct{}

func (closedSnapshot) Get([]byte) ([]byte, bool, error) { return nil, false, store.ErrClosed }
func (closedSnapshot) Iter(_, _ []byte) store.Iterator  { return noIterator{store.ErrClosed} }
func (closedSnapshot) Position() store.Position         { return store.Position{} }
func (closedSnapshot) Close() error                     { return nil }
