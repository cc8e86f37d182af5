package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Retention is how far back Lookup finds events.
const Retention = 90 * 24 * time.Hour

// MaxLookup bounds the events of one Lookup.
const MaxLookup = 50

// Query selects events of one account and Region.
type Query struct {
	Account, Region string
	Attribute       string    // a LookupEvents attribute key; empty = all events
	Value           string    // exact
	From, To        time.Time // both inclusive; zero = no bound
	Limit           int       // at most MaxLookup, which 0 means
	After           []byte    // the cursor of an earlier answer; nil = from the newest
}

// placeSize is the bytes of an event's place; a cursor is a place and a source.
const placeSize = 16

// Lookup gives events newest first, and a cursor if there may be more.
func (l *Log) Lookup(ctx context.Context, q Query) (events []*Event, next []byte, err error) {
	if q.Limit <= 0 || q.Limit > MaxLookup {
		q.Limit = MaxLookup
	}
	if q.After != nil && len(q.After) != placeSize+1 {
		return nil, nil, fmt.Errorf("lookup: cursor of %d bytes", len(q.After))
	}
	err = l.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		s0 := &effects{l: l, tx: tx}
		s1 := &reads{l: l, snap: l.shard.Snapshot()}
		events, next, err = l.merge(q, s0, s1)
		if cerr := s1.snap.Close(); err == nil {
			err = cerr
		}
		return err
	})
	if err == nil {
		err = l.settled(ctx)
	}
	return events, next, err
}

// settled waits until what the last shard showed is durable: a batch is
// durable only after all before it.
func (l *Log) settled(ctx context.Context) error {
	done := make(chan error, 1)
	l.shard.Propose(&store.Batch{}, func(_ store.Position, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A source is one shard's part of the trail.
type source interface {
	// places gives up to n ids of the table in lower <= id < upper.
	places(t control.Table, lower, upper []byte, n int) ([][]byte, error)
	event(id []byte) ([]byte, error)
}

// merge walks both sources in the order (time, source, sequence), newest first.
func (l *Log) merge(q Query, sources ...source) (events []*Event, next []byte, err error) {
	table, prefix := control.TableEvent, l.scope(q.Account, q.Region)
	if q.Attribute != "" {
		table = control.TableEventIndex
		prefix = l.attribute(q.Account, q.Region, q.Attribute, q.Value)
	}
	heads := make([][][]byte, len(sources))
	for i, s := range sources {
		lower, upper := q.bounds(byte(i))
		lower, upper = append(bytes.Clone(prefix), lower...), append(bytes.Clone(prefix), upper...)
		if heads[i], err = s.places(table, lower, upper, q.Limit+1); err != nil {
			return nil, nil, err
		}
	}
	scope := l.scope(q.Account, q.Region)
	for len(events) < q.Limit {
		i := newest(heads)
		if i < 0 {
			return events, nil, nil
		}
		at := heads[i][0][len(prefix):]
		heads[i] = heads[i][1:]
		body, err := sources[i].event(append(bytes.Clone(scope), at...))
		if err != nil {
			return nil, nil, err
		}
		e := &Event{}
		if err := json.Unmarshal(body, e); err != nil {
			return nil, nil, fmt.Errorf("%w: event: %w", store.ErrDamaged, err)
		}
		events = append(events, e)
		next = append(bytes.Clone(at), byte(i))
	}
	if newest(heads) < 0 {
		next = nil
	}
	return events, next, nil
}

// newest picks the source whose next place is first; at the same microsecond
// the earlier source goes first.
func newest(heads [][][]byte) int {
	best := -1
	for i, h := range heads {
		if len(h) == 0 {
			continue
		}
		if best < 0 || bytes.Compare(micros(h[0]), micros(heads[best][0])) < 0 {
			best = i
		}
	}
	return best
}

func micros(id []byte) []byte { return id[len(id)-placeSize : len(id)-8] }

// bounds gives the range of places of one source that the query covers.
func (q *Query) bounds(source byte) (lower, upper []byte) {
	lower, upper = make([]byte, 8), bytes.Repeat([]byte{0xff}, placeSize+1)
	if !q.To.IsZero() {
		// To is inclusive to its last microsecond of the second events show.
		end := q.To.Truncate(time.Second).Add(time.Second - time.Microsecond)
		binary.BigEndian.PutUint64(lower, ^uint64(end.UnixMicro()))
	}
	if !q.From.IsZero() {
		upper = binary.BigEndian.AppendUint64(nil, ^uint64(q.From.UnixMicro())+1)
	}
	if q.After == nil {
		return lower, upper
	}
	at, from := q.After[:placeSize], q.After[placeSize]
	var resume []byte
	switch {
	case source == from:
		resume = append(bytes.Clone(at), 0)
	case source < from: // all of this microsecond was given
		resume = append(bytes.Clone(at[:8]), bytes.Repeat([]byte{0xff}, 9)...)
	default: // none of it was
		resume = bytes.Clone(at[:8])
	}
	if bytes.Compare(resume, lower) > 0 {
		lower = resume
	}
	return lower, upper
}

// effects reads shard 0.
type effects struct {
	l  *Log
	tx *control.Tx
}

func (s *effects) places(t control.Table, lower, upper []byte, n int) (ids [][]byte, err error) {
	err = s.tx.Range(t, lower, upper, func(id, _ []byte) error {
		if len(ids) == n {
			return control.ErrStop
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

func (s *effects) event(id []byte) ([]byte, error) {
	v, ok, err := s.tx.Get(control.TableEvent, id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: an indexed event is missing", store.ErrDamaged)
	}
	return v, err
}

// reads reads the last shard.
type reads struct {
	l    *Log
	snap store.Snapshot
}

func (s *reads) places(t control.Table, lower, upper []byte, n int) (ids [][]byte, err error) {
	it := s.snap.Iter(rowKey(t, lower), rowKey(t, upper))
	for len(ids) < n && it.Next() {
		ids = append(ids, bytes.Clone(it.Key()[1:]))
	}
	err = it.Err()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return ids, err
}

func (s *reads) event(id []byte) ([]byte, error) {
	key := rowKey(control.TableEvent, id)
	box, ok, err := s.snap.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: an indexed event is missing", store.ErrDamaged)
	}
	body, err := s.l.db.Platform().OpenBox(nil, s.l.aad(key), box)
	if err != nil {
		return nil, fmt.Errorf("%w: event: %w", store.ErrDamaged, err)
	}
	return body, nil
}
