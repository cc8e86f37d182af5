package seal

import (
	"encoding/binary"
	"fmt"
)

// A message record: version (1), suite (1), flags (1), data-key number (4),
// epoch (8), message id (16), length of facts (1), facts, then nonce,
// ciphertext and tag. The associated data is everything before the nonce, then
// the 16-byte domain id. In a part of a message its number (4) stands in the
// place of the facts.
const (
	recordVersion = 1
	suiteAES256   = 1
	factsSize     = 1 + 8 + 8 + 1
	partSize      = 4
	recordFixed   = 1 + 1 + 1 + 4 + 8 + 16 + 1
	recordHeader  = recordFixed + factsSize
)

// What SealRecord adds to a plaintext, in bytes.
const (
	RecordOverhead = recordHeader + Overhead
	PartOverhead   = recordFixed + partSize + Overhead // with FlagPart
)

// Flags of a record. Like all of its header they are authenticated.
const (
	FlagPart = 0x80 // a part of a message, with a number and without facts
	FlagLast = 0x40 // the last part
	FlagHead = 0x20 // what comes before part 1
)

// DomainID names what a record is bound to: a broker or an SQS queue.
type DomainID [16]byte

// Facts stand in clear in a record: what a locked broker must know of it.
type Facts struct {
	SizeClass uint8 // base-2 logarithm of the plaintext's size, rounded up
	Enqueued  int64 // milliseconds of domain time
	Expires   int64 // milliseconds of domain time; 0 = never
	Priority  uint8
}

// Header is the clear part of a record.
type Header struct {
	Flags   uint8
	DataKey uint32 // number in the domain's key table
	Epoch   uint64 // set by SealRecord
	ID      [16]byte
	Facts   Facts
	Part    uint32 // with FlagPart, in the place of Facts: from 1
}

// SealRecord appends the record of plaintext to dst, bound to domain.
func (e *Epochs) SealRecord(dst []byte, h Header, domain DomainID, plaintext []byte) (
	[]byte, error,
) {
	ep, err := e.use(len(plaintext))
	if err != nil {
		return dst, err
	}
	mustBeApart(dst, recordHeader, plaintext)
	at := len(dst)
	dst = append(dst, recordVersion, suiteAES256, h.Flags)
	dst = binary.BigEndian.AppendUint32(dst, h.DataKey)
	dst = binary.BigEndian.AppendUint64(dst, ep.number)
	dst = append(dst, h.ID[:]...)
	if h.Flags&FlagPart != 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, partSize), h.Part)
	} else {
		dst = append(dst, factsSize, h.Facts.SizeClass)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Facts.Enqueued))
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Facts.Expires))
		dst = append(dst, h.Facts.Priority)
	}
	full := e.aad(dst[at:], domain[:])
	defer e.release(full)
	return ep.aead.Seal(dst, nil, plaintext, *full), nil
}

// ParseRecord reads the clear header without any key.
func ParseRecord(rec []byte) (Header, error) {
	if len(rec) < recordFixed || rec[0] != recordVersion || rec[1] != suiteAES256 {
		return Header{}, fmt.Errorf("record: %w", ErrFormat)
	}
	h := Header{Flags: rec[2]}
	size := factsSize
	if h.Flags&FlagPart != 0 {
		size = partSize
	}
	if int(rec[recordFixed-1]) != size || len(rec) < recordFixed+size+Overhead {
		return Header{}, fmt.Errorf("record of %d bytes: %w", len(rec), ErrFormat)
	}
	h.DataKey = binary.BigEndian.Uint32(rec[3:])
	h.Epoch = binary.BigEndian.Uint64(rec[7:])
	copy(h.ID[:], rec[15:31])
	f := rec[recordFixed:]
	if h.Flags&FlagPart != 0 {
		h.Part = binary.BigEndian.Uint32(f)
		return h, nil
	}
	h.Facts.SizeClass = f[0]
	h.Facts.Enqueued = int64(binary.BigEndian.Uint64(f[1:]))
	h.Facts.Expires = int64(binary.BigEndian.Uint64(f[9:]))
	h.Facts.Priority = f[17]
	return h, nil
}

// OpenRecord appends the plaintext of rec to dst: ErrFormat for other bytes,
// ErrOpen for another key or domain.
func (e *Epochs) OpenRecord(dst, rec []byte, domain DomainID) ([]byte, error) {
	h, err := ParseRecord(rec)
	if err != nil {
		return dst, err
	}
	a, err := e.find(h.Epoch)
	if err != nil {
		return dst, err
	}
	at := recordFixed + int(rec[recordFixed-1])
	full := e.aad(rec[:at], domain[:])
	defer e.release(full)
	out, err := a.Open(dst, nil, rec[at:], *full)
	if err != nil {
		return dst, ErrOpen
	}
	return out, nil
}
