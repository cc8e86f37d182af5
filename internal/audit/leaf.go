package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/store"
)

// A Leaf is what a tree keeps of an event for ever: where it stands and the digest
// of its text. Both are in the leaf's hash, so that of an event whose time is over
// it can still be shown when it was.
type Leaf struct {
	key    []byte // store key, with the table
	digest [sha256.Size]byte
}

// NewLeaf makes the leaf of an event whose text lies at key. It is for any
// goroutine, and keeps key.
func NewLeaf(key, text []byte) Leaf { return Leaf{key, sha256.Sum256(text)} }

// hash is the leaf's in the tree of a shard.
func (l *Leaf) hash(id store.ShardID) tlog.Hash {
	var room [128]byte
	return tlog.RecordHash(l.append(binary.BigEndian.AppendUint16(room[:0], uint16(id))))
}

// append writes the leaf behind b.
func (l *Leaf) append(b []byte) []byte {
	b = append(append(b, byte(len(l.key))), l.key...)
	return append(b, l.digest[:]...)
}

// maxLeafKey bounds the store key of an event.
const maxLeafKey = 255

// leafVersion is the first byte of a row of leaves.
const leafVersion = 1

// encodeLeaves gives the row of leaves that follow each other.
func encodeLeaves(leaves []Leaf) []byte {
	size := 1
	for i := range leaves {
		size += 1 + len(leaves[i].key) + sha256.Size
	}
	b := append(make([]byte, 0, size), leafVersion)
	for i := range leaves {
		b = leaves[i].append(b)
	}
	return b
}

// parseLeaves reads what encodeLeaves gives, to the byte; it keeps parts of b.
func parseLeaves(b []byte) ([]Leaf, error) {
	if len(b) < 2 || b[0] != leafVersion {
		return nil, fmt.Errorf("%w: a row of leaves", store.ErrDamaged)
	}
	var leaves []Leaf
	for b = b[1:]; len(b) > 0; {
		n := 1 + int(b[0])
		if n == 1 || len(b) < n+sha256.Size {
			return nil, fmt.Errorf("%w: leaf %d of a row", store.ErrDamaged, len(leaves))
		}
		l := Leaf{key: b[1:n:n]}
		copy(l.digest[:], b[n:])
		leaves, b = append(leaves, l), b[n+sha256.Size:]
	}
	return leaves, nil
}
