package control

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// The row of the platform keys ends in the CRC-32 of all before it (4), which tells a
// damaged row from a wrong root key. In version 1 that is the platform key, wrapped
// under the root key, which also makes the MACs of names. In version 2: version (1),
// length of the header (4), the header, and the wrapped secrets: the MAC's (32), then
// for each platform key the first epoch that it serves (8) and the key (32).
const (
	ringVersion = 2
	ringFixed   = 1 + 4
	ringKey     = 8 + seal.KeySize

	maxRootHeader = 64 << 10 // bytes
	maxRing       = 16       // platform keys that are still needed
)

// ring is what the root key opens.
type ring struct {
	header []byte // the owner's of the root key, in clear
	mac    seal.Secret
	keys   []seal.Key // in the order of their first epochs; the last one seals
}

// newRing makes the first platform key and the secret of the MACs.
func newRing(header []byte) *ring {
	r := &ring{header: header, mac: make(seal.Secret, seal.KeySize)}
	key := make(seal.Secret, seal.KeySize)
	rand.Read(r.mac) // never fails
	rand.Read(key)
	r.keys = []seal.Key{{Secret: key}}
	return r
}

func (r *ring) newest() seal.Secret { return r.keys[len(r.keys)-1].Secret }

// opener opens what was sealed under the ring. It is not for sealing: its start is an
// older one.
func (r *ring) opener() (*seal.Epochs, error) {
	start := uint32(r.keys[len(r.keys)-1].From >> 32)
	return seal.NewEpochsOf(r.keys, platformLabel, start)
}

func (r *ring) wipe() {
	r.mac.Wipe()
	for _, k := range r.keys {
		k.Secret.Wipe()
	}
}

// seal gives the row.
func (r *ring) seal(rootKey []byte) ([]byte, error) {
	if len(r.header) > maxRootHeader || len(r.keys) > maxRing {
		return nil, fmt.Errorf("control: header of %d bytes, %d platform keys",
			len(r.header), len(r.keys))
	}
	plain := append(seal.Secret{}, r.mac...)
	for _, k := range r.keys {
		plain = append(binary.BigEndian.AppendUint64(plain, k.From), k.Secret...)
	}
	defer plain.Wipe()
	wrapped, err := seal.Wrap(rootKey, ringPurpose, ringAAD(r.header), plain)
	if err != nil {
		return nil, fmt.Errorf("control: wrap platform key: %w", err)
	}
	row := binary.BigEndian.AppendUint32([]byte{ringVersion}, uint32(len(r.header)))
	row = append(append(row, r.header...), wrapped...)
	return binary.BigEndian.AppendUint32(row, crc32.ChecksumIEEE(row)), nil
}

func ringAAD(header []byte) []byte { return append(append([]byte{}, keyRoot...), header...) }

// openRing opens a row of either version.
func openRing(rootKey, row []byte) (*ring, error) {
	header, wrapped, err := splitRing(row)
	if err != nil {
		return nil, err
	}
	purpose, aad := ringPurpose, ringAAD(header)
	if row[0] != ringVersion {
		purpose, aad = platformPurpose, keyRoot
	}
	plain, err := seal.Unwrap(rootKey, purpose, aad, wrapped)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRootKey, err)
	}
	defer plain.Wipe()
	if purpose == platformPurpose {
		return &ring{
			mac:  append(seal.Secret{}, plain...),
			keys: []seal.Key{{Secret: append(seal.Secret{}, plain...)}},
		}, nil
	}
	r := &ring{header: header}
	if err := r.parse(plain); err != nil {
		return nil, err
	}
	return r, nil
}

// splitRing gives the parts of a row that is not damaged.
func splitRing(row []byte) (header, wrapped []byte, err error) {
	damaged := fmt.Errorf("control: %w: platform key of shard 0", store.ErrDamaged)
	n := len(row) - 4
	if n < 1 || crc32.ChecksumIEEE(row[:n]) != binary.BigEndian.Uint32(row[n:]) {
		return nil, nil, damaged
	}
	if row[0] != ringVersion {
		return nil, row[:n], nil
	}
	if n < ringFixed {
		return nil, nil, damaged
	}
	size := uint64(binary.BigEndian.Uint32(row[1:]))
	if size > maxRootHeader || ringFixed+size >= uint64(n) {
		return nil, nil, damaged
	}
	return row[ringFixed : ringFixed+size], row[ringFixed+size : n], nil
}

// parse reads the secrets.
func (r *ring) parse(plain seal.Secret) error {
	keys := len(plain) - seal.KeySize
	if keys < ringKey || keys%ringKey != 0 || keys/ringKey > maxRing {
		return fmt.Errorf("control: %w: platform keys of shard 0", store.ErrDamaged)
	}
	r.mac = append(seal.Secret{}, plain[:seal.KeySize]...)
	for rest := plain[seal.KeySize:]; len(rest) > 0; rest = rest[ringKey:] {
		k := seal.Key{
			From:   binary.BigEndian.Uint64(rest),
			Secret: append(seal.Secret{}, rest[8:ringKey]...),
		}
		if n := len(r.keys); n > 0 && r.keys[n-1].From >= k.From {
			return errors.Join(store.ErrDamaged, errors.New("control: order of platform keys"))
		}
		r.keys = append(r.keys, k)
	}
	return nil
}

// RootHeader gives what the owner of the root key wrote with it, without a key: nil
// when the shard is empty, or of a program that wrote nothing. Whether it was written
// with that key is known when the key opens the shard.
func RootHeader(snap store.Snapshot) ([]byte, error) {
	row, found, err := snap.Get(keyRoot)
	if err != nil || !found {
		return nil, err
	}
	header, _, err := splitRing(row)
	return header, err
}
