package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/store"
)

// Sizes of keys in bytes.
const (
	bodyKeySize = 1 + 16 + 4
	refKeyFixed = 1 + 16
)

// bodyKey appends class (1), body (16), number of the chunk (4).
func bodyKey(dst []byte, id bodyID, index uint32) []byte {
	dst = append(append(dst, byte(classBody)), id[:]...)
	return binary.BigEndian.AppendUint32(dst, index)
}

// bodyRange gives the bounds of all chunks of a body.
func bodyRange(id bodyID) (lower, upper []byte) {
	return bodyKey(nil, id, 0), bodyKey(nil, id, ^uint32(0))
}

func parseBodyKey(key []byte) (id bodyID, index uint32, err error) {
	if len(key) != bodyKeySize || class(key[0]) != classBody {
		return id, 0, fmt.Errorf("body key %x: %w", key, store.ErrDamaged)
	}
	copy(id[:], key[1:])
	return id, binary.BigEndian.Uint32(key[1+16:]), nil
}

// refKey appends class (1), body (16), the key of the entry that refers to it;
// without one it is the mark that there is such a body.
func refKey(dst []byte, id bodyID, entry []byte) []byte {
	return append(append(append(dst, byte(classRef)), id[:]...), entry...)
}

// parseRefKey gives a slice of key.
func parseRefKey(key []byte) (id bodyID, entry []byte, err error) {
	if len(key) < refKeyFixed || class(key[0]) != classRef {
		return id, nil, fmt.Errorf("reference key %x: %w", key, store.ErrDamaged)
	}
	copy(id[:], key[1:])
	return id, key[refKeyFixed:], nil
}

// append writes what lies apart (1: 0 nothing, 1 the record, 2 parts, 3 both), and
// unless that is nothing, the body (16), number of parts (4) and their bytes (8).
func (a *apart) append(dst []byte) []byte {
	if a == nil {
		return append(dst, 0)
	}
	what := byte(0)
	if a.shared {
		what |= 1
	}
	if a.parts > 0 {
		what |= 2
	}
	dst = append(append(dst, what), a.id[:]...)
	dst = binary.BigEndian.AppendUint32(dst, a.parts)
	return binary.BigEndian.AppendUint64(dst, uint64(a.bytes))
}

func parseApart(r *rowParser) *apart {
	what := r.byte()
	if what == 0 {
		return nil
	}
	a := &apart{shared: what&1 != 0}
	copy(a.id[:], r.take(16))
	a.parts, a.bytes = r.uint32(), int64(r.uint64())
	parts := what&2 != 0
	if what > 3 || parts != (a.parts > 0) || parts && a.bad() || !parts && a.bytes != 0 {
		r.failed = true
	}
	return a
}
