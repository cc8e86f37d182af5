package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"coffer/internal/store"
)

type txKey struct{}

// From gives the unit of work that ctx carries, or nil when there is none or its
// function has returned.
func From(ctx context.Context) *Tx {
	tx, _ := ctx.Value(txKey{}).(*Tx)
	if tx != nil && tx.phase.Load() != phaseOpen {
		return nil
	}
	return tx
}

// The phases of a Tx.
const (
	phaseOpen  = iota // its function runs
	phaseHooks        // it is committed or failed; its hooks run or will
	phaseOver
)

// Tx is one unit of work. It is used by one goroutine, and not after the
// function that got it returned: then reads fail and writes panic.
type Tx struct {
	phase    atomic.Int32
	db       *DB
	snap     store.Snapshot
	state    uint64 // that snap shows, as DB.state numbers it; 0: unknown
	writable bool
	time     time.Time
	overlay  map[string]effect // by store key; nil in a unit that reads
	journal  []undo
	after    []func()
	failed   []func()
	wrapped  []wrapped // rows of table 0 that are no boxes
	err      error     // misuse; fails the unit
}

// wrapped is a row that is written as it is.
type wrapped struct{ key, value []byte }

// effect is a pending write; a nil value deletes.
type effect struct{ value []byte }

type undo struct {
	key     string
	had     bool
	earlier effect
}

// Time is this unit's time in UTC; within written units it never goes back.
func (tx *Tx) Time() time.Time { return tx.time }

// Writable reports whether the unit may write.
func (tx *Tx) Writable() bool { return tx.writable }

// MAC is [DB.MAC].
func (tx *Tx) MAC(label string, parts ...string) []byte { return tx.db.MAC(label, parts...) }

// Get reads the value of id in table; the slice is the caller's. A value that
// fails to open is an error that names its table, never "not found".
func (tx *Tx) Get(t Table, id []byte) (value []byte, ok bool, err error) {
	if tx.phase.Load() != phaseOpen {
		return nil, false, errOver
	}
	key := t.key(id)
	if e, ok := tx.overlay[string(key)]; ok {
		return bytes.Clone(e.value), e.value != nil, nil
	}
	box, ok, err := tx.snap.Get(key)
	if err != nil || !ok {
		return nil, false, err
	}
	value, err = tx.open(key, box)
	return value, err == nil, err
}

func (tx *Tx) open(key, box []byte) ([]byte, error) {
	value, err := tx.db.platform.OpenBox([]byte{}, aad(key), box)
	if err != nil {
		return nil, fmt.Errorf("%w: %s entry %x: %w", store.ErrDamaged, Table(key[0]), key[1:], err)
	}
	return value, nil
}

// Put sets the value of id in table. The value is copied.
func (tx *Tx) Put(t Table, id, value []byte) {
	tx.set(string(t.key(id)), effect{append([]byte{}, value...)})
}

// Delete removes id from table; a missing one is no error.
func (tx *Tx) Delete(t Table, id []byte) { tx.set(string(t.key(id)), effect{}) }

var errOver = errors.New("control: the unit of work is over")

func (tx *Tx) set(key string, e effect) {
	switch {
	case tx.phase.Load() != phaseOpen:
		panic(errOver) // an effect that nobody would ever see
	case !tx.writable:
		tx.err = errors.Join(tx.err, errors.New("control: write in a unit of work that reads"))
		return
	case Table(key[0]) == TableMeta:
		tx.err = errors.Join(tx.err, fmt.Errorf("control: write to %s", TableMeta))
		return
	}
	old, had := tx.overlay[key]
	tx.journal = append(tx.journal, undo{key, had, old})
	tx.overlay[key] = e
}

// Next counts up the named counter of table, from 1.
func (tx *Tx) Next(t Table, id []byte) (uint64, error) {
	v, ok, err := tx.Get(t, id)
	if err != nil {
		return 0, err
	}
	var n uint64
	if ok {
		if len(v) != 8 {
			return 0, fmt.Errorf("%w: counter %x of %s", store.ErrDamaged, id, t)
		}
		n = binary.BigEndian.Uint64(v)
	}
	n++
	tx.Put(t, id, binary.BigEndian.AppendUint64(nil, n))
	return n, nil
}

// Scan calls fn for every id of table that begins with prefix, in ascending
// order; the slices are the callee's. fn may write what it is given; it must
// not add ids to the range. ErrStop ends the scan without an error.
func (tx *Tx) Scan(t Table, prefix []byte, fn func(id, value []byte) error) error {
	return tx.Range(t, prefix, prefixEnd(prefix), fn)
}

// ErrStop ends a Scan or Range early.
var ErrStop = errors.New("control: stop")

// Range is Scan over lower <= id < upper; a nil upper is the table's end.
func (tx *Tx) Range(t Table, lower, upper []byte, fn func(id, value []byte) error) error {
	if tx.phase.Load() != phaseOpen {
		return errOver
	}
	lo, hi := t.key(lower), t.end()
	if upper != nil {
		hi = t.key(upper)
	}
	if bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	it := tx.snap.Iter(lo, hi)
	err := tx.walk(it, tx.pending(lo, hi), fn)
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// walk merges the snapshot's keys with the pending ones, which win.
func (tx *Tx) walk(it store.Iterator, pending []string, fn func(id, value []byte) error) error {
	more := it.Next()
	for more || len(pending) > 0 {
		stored := more && (len(pending) == 0 || string(it.Key()) <= pending[0])
		var key string
		var box []byte
		if stored {
			key, box = string(it.Key()), it.Value()
		} else {
			key = pending[0]
		}
		if err := tx.visit(key, box, stored, fn); err != nil {
			return err
		}
		if len(pending) > 0 && pending[0] == key {
			pending = pending[1:]
		}
		if stored {
			more = it.Next()
		}
	}
	return it.Err()
}

// visit calls fn for one key. The overlay is asked now, not before: an earlier
// call of fn may have changed it.
func (tx *Tx) visit(
	key string, box []byte, stored bool, fn func(id, value []byte) error,
) error {
	if e, ok := tx.overlay[key]; ok {
		if e.value == nil {
			return nil
		}
		return fn([]byte(key[1:]), bytes.Clone(e.value))
	}
	if !stored {
		return nil
	}
	value, err := tx.open([]byte(key), box)
	if err != nil {
		return err
	}
	return fn([]byte(key[1:]), value)
}

// pending gives the keys of the overlay in the range, in order.
func (tx *Tx) pending(lo, hi []byte) []string {
	var keys []string
	for k := range tx.overlay {
		if k >= string(lo) && k < string(hi) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// After registers a hook that runs once when the unit's effects are durable,
// before Update returns and before the hooks of any later commit. It must not
// block for long, and must not call [DB.Update], which would wait for the hook
// itself: a hook that has to write starts a goroutine. It may call [DB.View].
func (tx *Tx) After(fn func()) { tx.after = append(tx.after, fn) }

// Failed registers a hook that runs once if the effects made so far are
// dropped: the unit or the joined part around it failed or panicked, or its
// commit did, which leaves open whether a restart will show the effects. What
// holds for After holds for it.
func (tx *Tx) Failed(fn func()) { tx.failed = append(tx.failed, fn) }

// Savepoint marks a place to Rollback to.
type Savepoint struct{ journal, after, failed int }

// Savepoint marks the effects and hooks so far.
func (tx *Tx) Savepoint() Savepoint {
	return Savepoint{len(tx.journal), len(tx.after), len(tx.failed)}
}

// Rollback drops the effects and hooks since the savepoint and runs the Failed
// hooks registered since, newest first.
func (tx *Tx) Rollback(s Savepoint) {
	for _, u := range slices.Backward(tx.journal[s.journal:]) {
		if u.had {
			tx.overlay[u.key] = u.earlier
		} else {
			delete(tx.overlay, u.key)
		}
	}
	tx.journal, tx.after = tx.journal[:s.journal], tx.after[:s.after]
	tx.abandon(s)
}

func (tx *Tx) join(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if !tx.writable {
		return errors.New("control: update inside a unit of work that reads")
	}
	s, kept := tx.Savepoint(), false
	defer func() {
		if !kept { // also when fn panicked: the unit around it may recover
			tx.Rollback(s)
		}
	}()
	err := fn(ctx, tx)
	kept = err == nil
	return err
}

// abandon runs and forgets the Failed hooks since s, newest first. One that
// panics does not keep the others from running.
func (tx *Tx) abandon(s Savepoint) {
	hooks := slices.Clone(tx.failed[s.failed:])
	tx.failed = tx.failed[:s.failed]
	for _, h := range hooks {
		defer h()
	}
}

// close ends the reads and writes of the unit.
func (tx *Tx) close(phase int32) {
	tx.phase.Store(phase)
	if err := tx.snap.Close(); err != nil {
		tx.err = errors.Join(tx.err, err)
	}
}

func prefixEnd(p []byte) []byte {
	end := bytes.Clone(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
