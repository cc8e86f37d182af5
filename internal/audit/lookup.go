package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
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
	From, To        time.Time // both inclusive, to the second; zero = no bound
	Limit           int       // at most MaxLookup, which 0 means
	After           []byte    // the cursor of an earlier answer; nil = from the newest
}

// cursorSize is the bytes of a cursor: a place and a source.
const cursorSize = placeSize + 1

// Lookup gives events newest first, and a cursor if there may be more. All it
// gives is durable. Events that are made meanwhile are newer than the cursor, but
// for those of its very microsecond, which it may miss. An event that does not
// open is [store.ErrDamaged], a bad cursor of kind [fault.Invalid].
func (l *Log) Lookup(ctx context.Context, q Query) (events []*Event, next []byte, err error) {
	if q.Limit <= 0 || q.Limit > MaxLookup {
		q.Limit = MaxLookup
	}
	if q.After != nil && (len(q.After) != cursorSize || int(q.After[placeSize]) >= l.sources(&q)) {
		return nil, nil, fault.New(fault.Invalid, "The cursor is not valid.")
	}
	err = l.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		s1 := &reads{l: l, id: l.id, snap: l.shard.Snapshot()}
		l.mu.Lock()
		tail := l.tail // proposed after or with all that the snapshot shows
		l.mu.Unlock()
		list := []source{&effects{l: l, tx: tx}, s1}
		waits := []func(context.Context) error{
			func(ctx context.Context) error { return l.durable(ctx, tail) }}
		for _, d := range l.data[:l.sources(&q)-len(list)] {
			snap, wait := d.snapshot()
			list, waits = append(list, &reads{l: l, id: d.ID, snap: snap}), append(waits, wait)
		}
		events, next, err = l.merge(q, list)
		for _, s := range list[1:] {
			if cerr := s.(*reads).snap.Close(); err == nil {
				err = cerr
			}
		}
		for _, wait := range waits {
			if derr := wait(ctx); derr != nil {
				err = derr // what was seen is void
			}
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("look up events: %w", err)
	}
	return events, next, nil
}

// durable waits for a group and those before it.
func (l *Log) durable(ctx context.Context, tail *group) error {
	if tail != nil {
		select {
		case <-tail.durable:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if tail.err != nil {
			return tail.err
		}
	}
	select {
	case <-l.shard.Lost():
		return store.ErrLost
	default:
		return nil
	}
}

// sources counts the shards in which the query looks: data events are found by their
// attributes only, so that who walks everything walks management events.
func (l *Log) sources(q *Query) int {
	switch q.Attribute {
	case "EventId", "EventName", "Username", "ResourceName", "ResourceType":
		return 2 + len(l.data)
	}
	return 2
}

// A source is one shard's part of the trail.
type source interface {
	// places gives up to n ids of the table in lower <= id < upper.
	places(t control.Table, lower, upper []byte, n int) ([][]byte, error)
	event(id []byte) ([]byte, error)
}

// merge walks the sources in the order (time, source, sequence), newest first.
func (l *Log) merge(q Query, from []source) (events []*Event, next []byte, err error) {
	scope := l.scope(q.Account, q.Region)
	table, prefix := control.TableEvent, scope
	if q.Attribute != "" {
		table = control.TableEventIndex
		prefix = l.attribute(q.Account, q.Region, q.Attribute, written(q.Value))
	}
	heads := make([][][]byte, len(from))
	for i, s := range from {
		lower, upper := q.bounds(byte(i))
		if bytes.Compare(lower, upper) >= 0 {
			continue
		}
		lower, upper = append(bytes.Clone(prefix), lower...), append(bytes.Clone(prefix), upper...)
		if heads[i], err = s.places(table, lower, upper, q.Limit+1); err != nil {
			return nil, nil, err
		}
	}
	for i := newest(heads); i >= 0; i = newest(heads) {
		if len(events) == q.Limit {
			return events, next, nil
		}
		id := heads[i][0]
		heads[i] = heads[i][1:]
		if len(id) != len(prefix)+placeSize {
			return nil, nil, fmt.Errorf("%w: %s entry %x", store.ErrDamaged, table, id)
		}
		at := id[len(prefix):]
		e, err := decode(from[i], append(bytes.Clone(scope), at...))
		if err != nil {
			return nil, nil, err
		}
		if !q.matches(e) {
			return nil, nil, fmt.Errorf("%w: %s entry %x: of another event",
				store.ErrDamaged, table, id)
		}
		events = append(events, e)
		next = append(bytes.Clone(at), byte(i))
	}
	return events, nil, nil
}

// decode keeps numbers as they were written: a float would round them.
func decode(s source, id []byte) (*Event, error) {
	body, err := s.event(id)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	e := &Event{}
	if err := d.Decode(e); err != nil {
		return nil, fmt.Errorf("%w: event %x: %w", store.ErrDamaged, id, err)
	}
	return e, nil
}

// matches checks what the key of an index entry says: in the last shard it is
// not sealed.
func (q *Query) matches(e *Event) bool {
	return q.Attribute == "" ||
		slices.Contains(e.attributes(), [2]string{q.Attribute, written(q.Value)})
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

// lastSecond is the end of the year 9999, behind which no event has a time.
const lastSecond = 253402300799

// bounds gives the range of places of one source that the query covers.
func (q *Query) bounds(source byte) (lower, upper []byte) {
	lower, upper = make([]byte, 8), bytes.Repeat([]byte{0xff}, placeSize+1)
	if !q.To.IsZero() {
		if q.To.Unix() < 0 {
			return upper, upper // nothing is older than 1970
		}
		// Events show seconds, so both bounds cover all of theirs.
		end := uint64(min(q.To.Unix(), lastSecond))*1e6 + 1e6 - 1
		binary.BigEndian.PutUint64(lower, ^end)
	}
	if q.From.Unix() > 0 {
		begin := uint64(min(q.From.Unix(), lastSecond)) * 1e6
		upper = binary.BigEndian.AppendUint64(nil, ^begin+1)
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
		err = fmt.Errorf("%w: event %x of shard 0: %w", store.ErrDamaged, id, errMissing)
	}
	return v, err
}

var errMissing = errors.New("audit: an indexed event is missing")

// reads reads the last shard, whose event rows are boxes bound to shard and key.
type reads struct {
	l    *Log
	id   store.ShardID
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
	if err == nil && !ok {
		err = errMissing
	}
	var body []byte
	if err == nil {
		body, err = s.l.db.Platform().OpenBox(nil, boxAAD(s.id, key), box)
	}
	switch {
	case errors.Is(err, errMissing), errors.Is(err, seal.ErrOpen), errors.Is(err, seal.ErrFormat):
		err = fmt.Errorf("%w: event %x of shard %d: %w", store.ErrDamaged, id, s.id, err)
	}
	return body, err
}
