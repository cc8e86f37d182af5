package control

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// Keys of table 0, whose values are not boxes: they are read before the
// platform key is known, or carry nothing to hide.
var (
	keyRoot  = []byte("\x00root")  // the platform key, wrapped under the root key
	keyStart = []byte("\x00start") // number of the last start (4), CRC-32 (4)
	keyTime  = []byte("\x00time")  // newest time of a commit, nanoseconds since 1970 (8)
)

const platformPurpose = "platform"

// boot gives the platform key and sets the start number.
func (db *DB) boot(ctx context.Context, rootKey []byte) (seal.Secret, error) {
	snap := db.shard.Snapshot()
	wrapped, found, err := snap.Get(keyRoot)
	if err == nil && !found {
		err = mustBeEmpty(snap)
	}
	var last []byte
	if err == nil {
		last, _, err = snap.Get(keyStart)
	}
	if cerr := snap.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("control: read platform key: %w", err)
	}
	var b store.Batch
	var secret seal.Secret
	if found {
		if secret, err = seal.Unwrap(rootKey, platformPurpose, nil, wrapped); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRootKey, err)
		}
		if db.start, err = parseStart(last); err != nil {
			return nil, err
		}
	} else {
		secret = make(seal.Secret, seal.KeySize)
		if _, err := rand.Read(secret); err != nil {
			return nil, fmt.Errorf("control: new platform key: %w", err)
		}
		wrapped, err := seal.Wrap(rootKey, platformPurpose, nil, secret)
		if err != nil {
			return nil, err
		}
		b.Set(keyRoot, wrapped)
	}
	db.start++
	n := binary.BigEndian.AppendUint32(nil, db.start)
	b.Set(keyStart, binary.BigEndian.AppendUint32(n, crc32.ChecksumIEEE(n)))
	return secret, commitNow(ctx, db.shard, &b)
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

func parseStart(v []byte) (uint32, error) {
	if len(v) != 8 || crc32.ChecksumIEEE(v[:4]) != binary.BigEndian.Uint32(v[4:]) {
		return 0, fmt.Errorf("%w: start number of shard 0", store.ErrDamaged)
	}
	return binary.BigEndian.Uint32(v), nil
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
		return ctx.Err()
	}
}

func (db *DB) loadTime() error {
	snap := db.shard.Snapshot()
	v, ok, err := snap.Get(keyTime)
	if cerr := snap.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("control: read time: %w", err)
	}
	if ok && len(v) == 8 {
		db.last = time.Unix(0, int64(binary.BigEndian.Uint64(v))).UTC()
	}
	return nil
}
