package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/store"
)

// edge is the right edge of a Merkle tree of RFC 6962: how many leaves it has, and
// the roots of its full subtrees, the largest first. It is all that growing and
// the tree's root need.
type edge struct {
	size  uint64
	roots []tlog.Hash // one for each bit of size
}

// add puts a leaf at the end.
func (e *edge) add(leaf tlog.Hash) {
	e.roots = append(e.roots, leaf)
	for full := bits.TrailingZeros64(^e.size); full > 0; full-- {
		n := len(e.roots)
		e.roots[n-2] = tlog.NodeHash(e.roots[n-2], e.roots[n-1])
		e.roots = e.roots[:n-1]
	}
	e.size++
}

// root is the hash over all leaves; of an empty tree the digest of nothing.
func (e *edge) root() tlog.Hash {
	n := len(e.roots)
	if n == 0 {
		return sha256.Sum256(nil)
	}
	root := e.roots[n-1]
	for i := n - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.roots[i], root)
	}
	return root
}

func (e *edge) clone() edge {
	return edge{e.size, append(make([]tlog.Hash, 0, len(e.roots)+1), e.roots...)}
}

// edgeVersion is the first byte of a stored edge.
const edgeVersion = 1

func (e *edge) encode() []byte {
	b := make([]byte, 0, 1+8+len(e.roots)*tlog.HashSize)
	b = binary.BigEndian.AppendUint64(append(b, edgeVersion), e.size)
	for i := range e.roots {
		b = append(b, e.roots[i][:]...)
	}
	return b
}

// parseEdge reads what encode gives, to the byte.
func parseEdge(b []byte) (edge, error) {
	if len(b) < 9 || b[0] != edgeVersion {
		return edge{}, fmt.Errorf("%w: the edge of a tree", store.ErrDamaged)
	}
	e := edge{size: binary.BigEndian.Uint64(b[1:])}
	b = b[9:]
	if e.size>>63 != 0 || len(b) != bits.OnesCount64(e.size)*tlog.HashSize {
		return edge{}, fmt.Errorf("%w: the edge of a tree of %d", store.ErrDamaged, e.size)
	}
	for ; len(b) > 0; b = b[tlog.HashSize:] {
		e.roots = append(e.roots, tlog.Hash(b[:tlog.HashSize]))
	}
	return e, nil
}
