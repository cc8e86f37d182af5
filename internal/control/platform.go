package control

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// An older platform key is in the ring as long as anything rests on it:
//
//   - What is stored. A holder of [DB.Platform] seals with the newest key from the
//     moment of the rotation; what it sealed before may still be on its way into a batch.
//     So whoever owns a shard first sees to it that no such box comes any more, then
//     walks through the shard once and seals anew what is older; each does that in a
//     method Reseal. After all of them [DB.Resealed] says, durably, that nothing older is
//     stored, and nothing older can come.
//   - Sessions. Their tokens are with clients alone, for outside at most.
//
// After both the key goes with the next rewriting of the ring: at a start, or a rotation
// of the root or platform key. There is no other time for it, because the process does
// not keep the root key: who has read its memory opens nothing that was sealed since.
const outside = 36*time.Hour + time.Hour // the longest session, and much for one just begun

// rotated is the row of the last rotation of the platform key: version (1) = 1, its time
// in nanoseconds since 1970 (8), an epoch (8): nothing stored is of an earlier one. It is
// a box.
type rotated struct {
	at    time.Time // zero: there was none
	clean uint64
}

const rotatedVersion = 1

func (r *rotated) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, rotatedVersion), uint64(r.at.UnixNano()))
	return binary.BigEndian.AppendUint64(b, r.clean)
}

func parseRotated(p []byte) (r rotated, err error) {
	if len(p) != 1+8+8 || p[0] != rotatedVersion {
		return r, seal.ErrFormat
	}
	r.at = time.Unix(0, int64(binary.BigEndian.Uint64(p[1:]))).UTC()
	r.clean = binary.BigEndian.Uint64(p[9:])
	return r, nil
}

// needed gives the platform keys that something may rest on at a time.
func (r *ring) needed(last rotated, now time.Time) []seal.Key {
	n := len(r.keys) - 1
	if r.keys[n].From == last.clean && !now.Before(last.at.Add(outside)) {
		return r.keys[n:]
	}
	return r.keys
}

// A Record writes what is to be on record of a rotation, in its unit of work.
type Record func(context.Context, *Tx) error

// RotatePlatform makes another platform key, which seals from now on; what is stored
// under those before opens until it is sealed anew. The root key is only used to wrap
// it. Errors: [ErrRootKey] for another one; fault.Exhausted when too many older keys are
// still needed.
func (db *DB) RotatePlatform(ctx context.Context, rootKey []byte, record Record) error {
	db.rotation.Lock()
	defer db.rotation.Unlock()
	if err := db.mustOpen(rootKey); err != nil {
		return err
	}
	next := &ring{header: db.ring.header, mac: db.ring.mac, keys: db.needed()}
	if len(next.keys) == maxRing {
		return fault.New(fault.Exhausted, "%d platform keys are still needed: wait until what "+
			"is stored was sealed anew, and %v since the last rotation; nothing was changed",
			maxRing, outside)
	}
	if db.begun == math.MaxUint32 {
		return errors.New("control: start numbers are used up")
	}
	key := seal.Key{From: uint64(db.begun+1) << 32, Secret: make(seal.Secret, seal.KeySize)}
	rand.Read(key.Secret) // never fails
	next.keys = append(slices.Clip(next.keys), key)
	var last rotated
	err := db.rewrap(ctx, next, rootKey, func(ctx context.Context, tx *Tx) error {
		start, err := db.startRow(next, db.begun+1)
		if err != nil {
			return err
		}
		tx.wrapped = append(tx.wrapped, wrapped{keyStart, start})
		last = rotated{at: tx.time}
		tx.overlay[string(keyRotated)] = effect{last.append(nil)}
		return record(ctx, tx)
	})
	if err != nil {
		return err
	}
	// Until here nobody has sealed with it, and after a crash the next start does.
	db.begun++
	db.mu.Lock()
	db.rotated = last
	db.mu.Unlock()
	return db.platform.Replace(key.Secret, db.begun)
}

// RotateRoot wraps the platform keys under another root key, with its header, and returns
// when that is durable: from then on only the new one opens the store. Copies that were
// made before still open with the one they were made under.
func (db *DB) RotateRoot(ctx context.Context, rootKey, header []byte, record Record) error {
	db.rotation.Lock()
	defer db.rotation.Unlock()
	next := &ring{header: header, mac: db.ring.mac, keys: db.needed()}
	return db.rewrap(ctx, next, rootKey, record)
}

// rewrap makes another ring durable, with what fn writes, and puts it in the place of the
// present one.
func (db *DB) rewrap(ctx context.Context, next *ring, rootKey []byte, fn Record) error {
	if From(ctx) != nil {
		return errors.New("control: rotation of a key within a unit of work")
	}
	row, err := next.seal(rootKey)
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(ctx context.Context, tx *Tx) error {
		tx.wrapped = append(tx.wrapped, wrapped{keyRoot, row})
		return fn(ctx, tx)
	})
	if err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.ring = next
	db.platform.Keep(next.keys[0].From)
	return nil
}

// mustOpen refuses a root key that is not the present one.
func (db *DB) mustOpen(rootKey []byte) error {
	snap := db.shard.Snapshot()
	row, _, err := snap.Get(keyRoot)
	if err = errors.Join(err, snap.Close()); err != nil {
		return fmt.Errorf("control: read platform key: %w", err)
	}
	r, err := openRing(rootKey, row)
	if err == nil {
		r.wipe()
	}
	return err
}

// needed gives the keys of the ring that something may rest on now.
func (db *DB) needed() []seal.Key {
	now := db.tick()
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.ring.needed(db.rotated, now)
}

// PlatformState tells of the platform keys.
type PlatformState struct {
	Keys  int       // in the ring
	Since time.Time // when the newest was made; zero: with the store
	// Resealed: all that is stored is under the newest.
	Resealed bool
	// Until: sessions may rest on an older key until then, or did.
	Until time.Time
}

// PlatformState tells how the rotation of the platform key stands.
func (db *DB) PlatformState() PlatformState {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := PlatformState{Keys: len(db.ring.keys), Since: db.rotated.at}
	s.Resealed = db.ring.keys[s.Keys-1].From == db.rotated.clean
	if s.Keys > 1 {
		s.Until = s.Since.Add(outside)
	}
	return s
}

// Bounds of a slice of shard 0 that is sealed anew in one unit of work.
const (
	resealRows  = 512
	resealBytes = 1 << 20
)

// A Rest comes between slices of what is sealed anew, which are to leave room for others:
// it returns when the next may come, or with an error, which ends the work. sealed counts
// the values that were sealed anew so far, at is the shard that it is at.
type Rest func(ctx context.Context, at store.ShardID, sealed int) error

// Reseal seals the values of shard 0 anew that are under older platform keys, a unit of
// work for each slice. A unit of work seals in its turn, and the rotation was one: what
// comes behind it is under the newest key. A value that does not open is left, and the
// error at the end then is [store.ErrDamaged].
func (db *DB) Reseal(ctx context.Context, rest Rest) (n int, err error) {
	var damaged error
	for from := []byte{byte(TableMeta) + 1}; from != nil; {
		if err := rest(ctx, 0, n); err != nil {
			return n, err
		}
		err := db.Update(ctx, func(_ context.Context, tx *Tx) (err error) {
			var bad error
			from, bad, err = tx.reseal(from)
			n += len(tx.overlay)
			damaged = errors.Join(damaged, bad)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("seal shard 0 anew: %w", err)
		}
	}
	return n, damaged
}

// reseal writes what is older of a slice again, and gives where the next one begins.
func (tx *Tx) reseal(from []byte) (next []byte, damaged, err error) {
	it := tx.snap.Iter(from, nil)
	defer func() { err = errors.Join(err, it.Close()) }()
	for rows, size := 0, 0; it.Next(); rows++ {
		if rows == resealRows || size > resealBytes {
			return bytes.Clone(it.Key()), damaged, nil
		}
		size += len(it.Value())
		if !tx.db.platform.Stale(it.Value()) {
			continue
		}
		value, err := tx.open(it.Key(), it.Value())
		if err != nil {
			damaged = err // one of them says enough
			continue
		}
		tx.overlay[string(it.Key())] = effect{value}
	}
	return nil, damaged, it.Err()
}

// Resealed makes durable that nothing is stored, in any shard, that was sealed in an
// epoch before this one, and that nothing such comes any more. When there is a newer key
// since, that is not what matters.
func (db *DB) Resealed(ctx context.Context, epoch uint64) error {
	db.rotation.Lock()
	defer db.rotation.Unlock()
	db.mu.Lock()
	last := db.rotated
	newest := db.ring.keys[len(db.ring.keys)-1].From
	db.mu.Unlock()
	if epoch != newest || epoch == last.clean {
		return nil
	}
	last.clean = epoch
	// The batch writes both boxes of table 0, which Reseal passes over.
	err := db.Update(ctx, func(_ context.Context, tx *Tx) error {
		tx.overlay[string(keyRotated)] = effect{last.append(nil)}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note that all was sealed anew: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.rotated = last
	return nil
}
