package control

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// Keys of table 0. No unit of work writes it.
var (
	// The platform keys, wrapped under the root key; see ring.go.
	keyRoot = []byte("\x00root")
	// The number of the last start (4) and the store's incarnation in it (16),
	// wrapped under the platform key: epochs rest on it, so it can be no box itself.
	keyStart = []byte("\x00start")
	// The newest time of a commit in nanoseconds since 1970 (8), in a box.
	keyTime = []byte("\x00time")
	// The last rotation of the platform key, in a box; see platform.go.
	keyRotated = []byte("\x00rotated")
)

// Purposes of wrapped values; see [seal.Wrap].
const (
	platformPurpose = "platform"      // of version 1
	ringPurpose     = "platform-ring" // of version 2
	startPurpose    = "start"
)

// platformLabel separates the platform key's epochs from others; see
// [seal.NewEpochs].
const platformLabel = "platform"

// A copy of a store has its secrets and its start number, so both would go on
// with the same numbers, under whose subkeys each seals up to the bound. The first
// start of a copy goes on this far away: beyond any number of starts of a process,
// and spread, so that two copies of one store do not meet either.
const (
	apart  = 1 << 20
	spread = 1 << 24
)

// boot opens or makes the platform keys and begins a start. It writes nothing before it
// knows that the root key is the right one, and seals nothing before the start number is
// durable.
func (db *DB) boot(ctx context.Context, rootKey, header []byte) error {
	root, start, found, err := db.bootRows()
	if err != nil {
		return fmt.Errorf("control: read platform key: %w", err)
	}
	var r *ring
	var older []seal.Key // go with this start
	if found {
		if r, err = openRing(rootKey, root); err == nil {
			err = db.follow(r, start)
		}
		if err == nil {
			older, err = db.drop(r)
		}
	} else {
		r = newRing(header)
		db.start = 1
	}
	if err != nil {
		return err
	}
	db.begun, db.ring, db.macs.secret = db.start, r, r.mac
	var b store.Batch
	if !found || len(older) > 0 {
		if root, err = r.seal(rootKey); err != nil {
			return err
		}
		b.Set(keyRoot, root)
	}
	if start, err = db.startRow(r, db.start); err != nil {
		return err
	}
	b.Set(keyStart, start)
	if err := commitNow(ctx, db.shard, &b); err != nil {
		return err
	}
	for _, k := range older {
		k.Secret.Wipe()
	}
	db.platform, err = seal.NewEpochsOf(r.keys, platformLabel, db.start)
	return err
}

// startRow wraps a start number under the newest platform key.
func (db *DB) startRow(r *ring, number uint32) ([]byte, error) {
	n := append(binary.BigEndian.AppendUint32(nil, number), db.incarnation[:]...)
	return seal.Wrap(r.newest(), startPurpose, keyStart, n)
}

// bootRows reads the rows of the platform key and the start number, which are found in
// every shard but an empty one; a row that is empty is there, too.
func (db *DB) bootRows() (root, start []byte, found bool, err error) {
	snap := db.shard.Snapshot()
	defer func() {
		if cerr := snap.Close(); err == nil {
			err = cerr
		}
	}()
	root, found, err = snap.Get(keyRoot)
	if err != nil {
		return nil, nil, false, err
	}
	if !found {
		return nil, nil, false, mustBeEmpty(snap)
	}
	start, _, err = snap.Get(keyStart)
	return root, start, true, err
}

func mustBeEmpty(snap store.Snapshot) error {
	it := snap.Iter(nil, nil)
	some := it.Next()
	err := it.Err()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err == nil && some {
		err = fmt.Errorf("%w: shard 0 has data but no platform key", store.ErrDamaged)
	}
	return err
}

// follow sets the start number to the one after the last start, or far from it
// when that was of another incarnation.
func (db *DB) follow(r *ring, row []byte) error {
	last, incarnation, err := openStart(r.newest(), row)
	if err != nil {
		return err
	}
	next := uint64(last) + 1
	if incarnation != nil && [16]byte(incarnation) != db.incarnation {
		var b [4]byte
		rand.Read(b[:]) // never fails
		next += apart + uint64(binary.BigEndian.Uint32(b[:])%spread)
	}
	if next > math.MaxUint32 {
		return errors.New("control: start numbers are used up")
	}
	db.start = uint32(next)
	return nil
}

// drop takes the keys off the ring that nothing rests on, and gives them.
func (db *DB) drop(r *ring) ([]seal.Key, error) {
	if err := db.loadTimes(r); err != nil {
		return nil, err
	}
	needed := r.needed(db.rotated, db.tick())
	older := r.keys[:len(r.keys)-len(needed)]
	r.keys = needed
	return older, nil
}

// openStart gives the number of the last start and the incarnation it was of; nil
// when it was of a program that noted none.
func openStart(secret seal.Secret, row []byte) (uint32, []byte, error) {
	v, err := seal.Unwrap(secret, startPurpose, keyStart, row)
	if err == nil && len(v) != 4 && len(v) != 4+16 {
		err = seal.ErrFormat
	}
	if err != nil {
		return 0, nil, fmt.Errorf("control: %w: start number of shard 0: %w", store.ErrDamaged, err)
	}
	if len(v) == 4 {
		return binary.BigEndian.Uint32(v), nil, nil
	}
	return binary.BigEndian.Uint32(v), v[4:], nil
}

func commitNow(ctx context.Context, shard store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	shard.Propose(b, func(_ store.Position, err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("control: begin start: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("control: begin start: %w", context.Cause(ctx))
	}
}

// loadTimes reads when something was committed last, and the platform key replaced.
func (db *DB) loadTimes(r *ring) (err error) {
	platform, err := r.opener()
	if err != nil {
		return err
	}
	defer platform.Wipe()
	snap := db.shard.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	open := func(key []byte, parse func(value []byte) error) error {
		box, ok, err := snap.Get(key)
		if err != nil {
			return fmt.Errorf("control: read %s: %w", key[1:], err)
		}
		if !ok {
			return nil // nothing was ever committed, or replaced
		}
		value, err := platform.OpenBox(nil, aad(key), box)
		if err == nil {
			err = parse(value)
		}
		if err != nil {
			return fmt.Errorf("control: %w: %s of shard 0: %w", store.ErrDamaged, key[1:], err)
		}
		return nil
	}
	err = open(keyTime, func(v []byte) (err error) {
		db.last, err = parseTime(v)
		return err
	})
	if err != nil {
		return err
	}
	return open(keyRotated, func(v []byte) (err error) {
		db.rotated, err = parseRotated(v)
		return err
	})
}

func parseTime(v []byte) (time.Time, error) {
	if len(v) != 8 {
		return time.Time{}, seal.ErrFormat
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(v))).UTC(), nil
}
