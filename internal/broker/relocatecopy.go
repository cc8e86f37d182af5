package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"coffer/internal/control"
	"coffer/internal/store"
)

// moveRows bounds a slice of a namespace that is being copied. Its bytes are those of a
// page, but that a larger message goes alone.
const moveRows = 4096

// rowsAt is where the copy goes on: its spans are the namespace's clock, then for each
// queue in the order of ids its record, its messages with what stands beside them, and
// its deduplication ids. So what is there of a queue always begins with its record.
type rowsAt struct {
	span int
	from []byte // the first key that is left of it; nil: all of it
}

// queues gives the queues of the namespace that are in shard 0, in order.
func (r *relocation) queues(ctx context.Context) (ids []queueID, err error) {
	err = r.core.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableQueue, r.id[:], func(row, _ []byte) error {
			if len(row) != len(r.id)+8 {
				return fmt.Errorf("%w: key of queue %x", store.ErrDamaged, row)
			}
			ids = append(ids, queueID(binary.BigEndian.Uint64(row[len(r.id):])))
			return nil
		})
	})
	return ids, err
}

// copy copies what is left of the namespace to the target.
func (r *relocation) copy(ctx context.Context) error {
	ids, err := r.queues(ctx)
	if err != nil {
		return err
	}
	at, begun, err := r.resumeAt(ids)
	if err == nil && !begun { // nothing may be there that is not at the source
		err = r.eraseAt(ctx, r.to)
	}
	if err != nil {
		return err
	}
	for at.span <= 3*len(ids) {
		if room := r.core.cfg.Room; room != nil {
			if err := room(); err != nil {
				return err
			}
		}
		b, err := r.slice(ids, &at)
		if err != nil {
			return err
		}
		if len(b.rows) == 0 {
			continue
		}
		if err := r.sealCursor(b); err != nil {
			return err
		}
		if _, err := r.to.ask(ctx, request{kind: reqBring, bringing: b}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// resumeAt gives where to go on: after the last row that is durable in the target.
func (r *relocation) resumeAt(ids []queueID) (at rowsAt, begun bool, err error) {
	snap := r.to.store.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	key := cursorKey(nil, r.id)
	box, ok, err := snap.Get(key)
	if err != nil || !ok {
		return at, false, err
	}
	plain, err := r.new.open(nil, key, box)
	if err != nil {
		return at, false, err
	}
	last, id, err := parseCursor(plain)
	if err != nil {
		return at, false, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	at.from = append(bytes.Clone(last), 0)
	if id == 0 {
		return at, true, nil
	}
	i, ok := slices.BinarySearch(ids, id)
	if !ok {
		return at, false, fmt.Errorf("%w: copy of queue %x, which is gone", store.ErrDamaged,
			uint64(id))
	}
	at.span = 1 + 3*i + slices.Index([]class{classRecord, classDurable, classDedup},
		class(last[0]))
	return at, true, nil
}

// bounds gives the keys of a span.
func (r *relocation) bounds(ids []queueID, at *rowsAt) (lower, upper []byte) {
	if at.span == 0 {
		lower = clockKey(nil, r.id)
		upper = append(bytes.Clone(lower), 0)
	} else {
		id := ids[(at.span-1)/3]
		switch (at.span - 1) % 3 {
		case 0:
			lower = recordKey(nil, id)
			upper = append(bytes.Clone(lower), 0)
		case 1:
			lower, upper = queueRange(classDurable, id)
		default:
			lower, upper = queueRange(classDedup, id)
		}
	}
	if at.from != nil {
		lower = at.from
	}
	return lower, upper
}

// slice reads the next rows and seals them for the target.
func (r *relocation) slice(ids []queueID, at *rowsAt) (b *bringing, err error) {
	b = &bringing{}
	snap := r.from.store.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	for left := r.core.cfg.PageBytes; left > 0 && at.span <= 3*len(ids); {
		full, err := r.fill(b, snap, ids, at, &left)
		if err != nil || full {
			return b, err
		}
		at.span++
		at.from = nil
	}
	return b, nil
}

// fill reads rows of one span. full tells that some may be left.
func (r *relocation) fill(
	b *bringing, snap store.Snapshot, ids []queueID, at *rowsAt, left *int,
) (full bool, err error) {
	it := snap.Iter(r.bounds(ids, at))
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		if len(b.rows) > 0 && (*left < len(it.Value()) || len(b.rows) == moveRows) {
			return true, nil
		}
		row, err := r.reseal(snap, it.Key(), it.Value())
		if err != nil {
			return false, err
		}
		if *left -= row.size(); *left < 0 && len(b.rows) > 0 {
			return true, nil // it is read again
		}
		if row.apart != nil {
			if len(r.bodies) >= maxBodies {
				clear(r.bodies)
			}
			r.bodies[*row.apart] = struct{}{}
		}
		b.rows = append(b.rows, row)
		at.from = append(bytes.Clone(row.key), 0)
	}
	return false, it.Err()
}

// reseal gives a row for its new place. key and value are not kept.
func (r *relocation) reseal(snap store.Snapshot, key, value []byte) (row brought, err error) {
	row.key = bytes.Clone(key)
	if isMessage(key) {
		err = r.message(snap, &row, value)
	} else if r.plain, err = r.old.open(r.plain[:0], key, value); err == nil {
		row.value, err = r.new.seal(nil, key, r.plain)
	}
	if err != nil {
		return row, fmt.Errorf("key %x: %w", key, err)
	}
	return row, nil
}

// message seals the envelope of a message; its record stays as it is.
func (r *relocation) message(snap store.Snapshot, row *brought, value []byte) error {
	box, record, err := splitValue(value)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if r.plain, err = r.old.open(r.plain[:0], row.key, box); err != nil {
		return err
	}
	e, err := parseEnvelope(r.plain)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	row.value = make([]byte, valueHeader, len(value)+64)
	if row.value, err = r.new.seal(row.value, row.key, r.plain); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(row.value, uint32(len(row.value)-valueHeader))
	row.value = append(row.value, record...)
	if row.apart = e.apart(); row.apart == nil {
		return nil
	}
	if _, known := r.bodies[*row.apart]; known {
		return nil
	}
	return row.readBody(snap)
}

// readBody reads what of the message lies apart.
func (row *brought) readBody(snap store.Snapshot) error {
	if row.apart.shared {
		v, ok, err := snap.Get(bodyKey(nil, row.apart.id, 0))
		if err == nil && !ok {
			err = fmt.Errorf("%w: record %x is missing", store.ErrDamaged, row.apart.id)
		}
		if err != nil {
			return err
		}
		row.chunks = append(row.chunks, chunk{0, v})
	}
	if row.apart.parts == 0 {
		return nil
	}
	m := Message{Sealed: Sealed{apart: row.apart}}
	if err := m.readParts(snap); err != nil {
		return err
	}
	for i, v := range m.Chunks {
		row.chunks = append(row.chunks, chunk{uint32(i + 1), v})
	}
	return nil
}

// sealCursor says in b where the next process goes on.
func (r *relocation) sealCursor(b *bringing) (err error) {
	b.cursor = cursorKey(nil, r.id)
	last := b.rows[len(b.rows)-1].key
	r.plain = appendCursor(r.plain[:0], last)
	b.value, err = r.new.seal(nil, b.cursor, r.plain)
	return err
}
