package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// MACSize is the bytes of a MAC: HMAC-SHA256, its first half.
const MACSize = 16

// MACKey makes digests of names that show no name, for one use of a secret. It
// is safe for concurrent use; keep it, for making one costs ten digests.
type MACKey struct {
	key    Secret
	states sync.Pool // *macState
}

type macState struct {
	h   hash.Hash
	buf []byte // the message, then its digest
}

// NewMACKey derives the key of one use from secret (KeySize bytes or more);
// label keeps the uses apart.
func NewMACKey(secret []byte, label string) (*MACKey, error) {
	key, err := derive(secret, nil, "coffer/mac/v1/"+label, KeySize)
	if err != nil {
		return nil, err
	}
	k := &MACKey{key: key}
	k.states.New = func() any { return &macState{h: hmac.New(sha256.New, k.key)} }
	return k, nil
}

// Sum gives MACSize bytes over parts in new memory. Parts are length-prefixed,
// so none can run into another.
func (k *MACKey) Sum(parts ...string) []byte {
	s := k.states.Get().(*macState)
	defer k.states.Put(s)
	s.h.Reset()
	s.buf = s.buf[:0]
	for _, p := range parts {
		s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(len(p)))
		s.buf = append(s.buf, p...)
	}
	s.h.Write(s.buf)
	s.buf = s.h.Sum(s.buf[:0])
	return append(make([]byte, 0, MACSize), s.buf[:MACSize]...)
}

// MAC is [MACKey.Sum] for a label that is used once.
func MAC(secret []byte, label string, parts ...string) ([]byte, error) {
	k, err := NewMACKey(secret, label)
	if err != nil {
		return nil, err
	}
	return k.Sum(parts...), nil
}
