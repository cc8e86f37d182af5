package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// An Inspection reads the control state of a stopped store. It writes nothing, and
// what it finds damaged it tells and goes on.
type Inspection struct {
	snap     store.Snapshot
	platform *seal.Epochs
	macs     macs
	ring     *ring
	older    int64
}

// Inspect opens shard 0 with the root key. The snapshot stays the caller's, and
// open while the inspection is used. Errors: [ErrRootKey], [store.ErrDamaged],
// which also an empty shard is.
func Inspect(snap store.Snapshot, rootKey []byte) (*Inspection, error) {
	root, found, err := snap.Get(keyRoot)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no platform key", store.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("control: read platform key: %w", err)
	}
	r, err := openRing(rootKey, root)
	if err != nil {
		return nil, err
	}
	i := &Inspection{snap: snap, ring: r}
	if i.platform, err = r.opener(); err != nil {
		return nil, err
	}
	i.macs.secret = r.mac
	return i, nil
}

// Platform opens what is sealed under the platform key. It is not for sealing.
func (i *Inspection) Platform() *seal.Epochs { return i.platform }

// Note counts a box that is under a platform key which was replaced.
func (i *Inspection) Note(box []byte) {
	if i.platform.Stale(box) {
		i.older++
	}
}

// Noted gives the count since the call before.
func (i *Inspection) Noted() (older int64) {
	older, i.older = i.older, 0
	return older
}

// MAC is [DB.MAC].
func (i *Inspection) MAC(label string, parts ...string) []byte {
	return i.macs.key(label).Sum(parts...)
}

// Time is the newest time that was stored; zero: none was.
func (i *Inspection) Time() (t time.Time, err error) {
	v, ok, err := i.Get(TableMeta, keyTime[1:])
	if ok {
		t, err = parseTime(v)
	}
	return t, err
}

// Close forgets the keys.
func (i *Inspection) Close() {
	i.platform.Wipe()
	i.ring.wipe()
}

// Get reads the value of id in table.
func (i *Inspection) Get(t Table, id []byte) (value []byte, ok bool, err error) {
	key := t.key(id)
	box, ok, err := i.snap.Get(key)
	if err != nil || !ok {
		return nil, false, err
	}
	value, err = i.open(key, box)
	return value, err == nil, err
}

// Scan calls fn for every row of a table in the order of the ids, which are valid
// during the call; value is nil of a row that is not what was written.
func (i *Inspection) Scan(t Table, fn func(id, value []byte)) error {
	it := i.snap.Iter(t.key(nil), t.end())
	for it.Next() {
		value, err := i.open(it.Key(), it.Value())
		if err != nil {
			value = nil
		}
		fn(it.Key()[1:], value)
	}
	return errors.Join(it.Err(), it.Close())
}

// Check authenticates every row of the shard. Each that is not what was written
// at its place goes to damaged, with its table and id; each other one with its
// plaintext to row, which may be nil. The error ends the check: what cannot be
// read, or ctx.
func (i *Inspection) Check(
	ctx context.Context, row func(t Table, id, value []byte), damaged func(row string, err error),
) (rows int64, err error) {
	it := i.snap.Iter(nil, nil)
	for it.Next() && ctx.Err() == nil {
		rows++
		key := it.Key()
		if string(key) != string(keyRoot) && string(key) != string(keyStart) { // no boxes
			i.Note(it.Value())
		}
		value, err := i.open(key, it.Value())
		if err != nil {
			damaged(name(key), err)
		} else if row != nil {
			row(Table(key[0]), key[1:], value)
		}
	}
	err = it.Err()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = ctx.Err()
	}
	return rows, err
}

func name(key []byte) string {
	if len(key) == 0 {
		return "entry without a table"
	}
	return fmt.Sprintf("%s entry %x", Table(key[0]), key[1:])
}

// open gives the plaintext of a row of any table.
func (i *Inspection) open(key, row []byte) (value []byte, err error) {
	switch string(key) {
	case "":
		err = seal.ErrFormat
	case string(keyRoot):
		return nil, nil // Inspect opened it
	case string(keyStart):
		value, err = seal.Unwrap(i.ring.newest(), startPurpose, keyStart, row)
	default:
		value, err = i.platform.OpenBox([]byte{}, aad(key), row)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return value, nil
}
