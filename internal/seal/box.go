package seal

import (
	"encoding/binary"
	"fmt"
)

// A box: version (1), epoch (8), then nonce, ciphertext and tag. The associated
// data is version, epoch and the caller's aad (the store key of the value).
const (
	boxVersion = 1
	boxHeader  = 1 + 8
)

// BoxOverhead is what SealBox adds to a plaintext, in bytes.
const BoxOverhead = boxHeader + Overhead

// SealBox appends the sealed plaintext to dst. The plaintext must not overlap
// dst's spare capacity.
func (e *Epochs) SealBox(dst, aad, plaintext []byte) ([]byte, error) {
	ep, err := e.use(len(plaintext))
	if err != nil {
		return dst, err
	}
	mustBeApart(dst, boxHeader, plaintext)
	at := len(dst)
	dst = append(dst, boxVersion)
	dst = binary.BigEndian.AppendUint64(dst, ep.number)
	full := e.aad(dst[at:], aad)
	defer e.release(full)
	return ep.aead.Seal(dst, nil, plaintext, *full), nil
}

// OpenBox appends the plaintext of box to dst: ErrFormat for other bytes,
// ErrOpen for another key or aad.
func (e *Epochs) OpenBox(dst, aad, box []byte) ([]byte, error) {
	if len(box) < BoxOverhead || box[0] != boxVersion {
		return dst, fmt.Errorf("box: %w", ErrFormat)
	}
	a, err := e.find(BoxEpoch(box))
	if err != nil {
		return dst, err
	}
	full := e.aad(box[:boxHeader], aad)
	defer e.release(full)
	out, err := a.Open(dst, nil, box[boxHeader:], *full)
	if err != nil {
		return dst, ErrOpen
	}
	return out, nil
}

// Stale reports whether box is under a secret that was replaced.
func (e *Epochs) Stale(box []byte) bool {
	return len(box) >= BoxOverhead && box[0] == boxVersion && BoxEpoch(box) < e.Newest()
}

// BoxEpoch is the epoch of a box of BoxOverhead bytes or more.
func BoxEpoch(box []byte) uint64 { return binary.BigEndian.Uint64(box[1:boxHeader]) }

// Renew gives a stale box anew, in memory of its own. The errors are those of OpenBox.
func (e *Epochs) Renew(aad, box []byte) ([]byte, error) {
	plain, err := e.OpenBox(nil, aad, box)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return e.SealBox(make([]byte, 0, len(box)), aad, plain)
}
