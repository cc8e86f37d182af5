package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// envelope is what is stored beside a record and is sealed to its place: which
// record belongs here, and the facts of its publish.
type envelope struct {
	id      [16]byte // the record's message id
	tag     [16]byte // the record's authentication tag
	count   uint32   // deliveries that were released, as far as they are durable
	address []byte
	key     []byte
}

const (
	envelopeVersion = 1
	envelopeFixed   = 1 + 16 + 16 + 4 + 2 + 2
	valueHeader     = 4 // length of the sealed envelope
)

// appendEnvelope appends version (1), id (16), tag (16), count (4), lengths of
// address and key (2 each), address, key.
func appendEnvelope(dst, record []byte, count uint32, address, key string) ([]byte, error) {
	h, err := seal.ParseRecord(record)
	if err != nil {
		return dst, fault.Wrap(fault.Invalid, err, "not a sealed message")
	}
	if len(address) > MaxName || len(key) > MaxName {
		return dst, fault.New(fault.Invalid, "address or key is over %d bytes", MaxName)
	}
	dst = append(append(dst, envelopeVersion), h.ID[:]...)
	dst = append(dst, record[len(record)-16:]...)
	dst = binary.BigEndian.AppendUint32(dst, count)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(address)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(key)))
	return append(append(dst, address...), key...), nil
}

// parseEnvelope gives slices of p.
func parseEnvelope(p []byte) (e envelope, err error) {
	if len(p) < envelopeFixed || p[0] != envelopeVersion {
		return e, fmt.Errorf("envelope of %d bytes: %w", len(p), seal.ErrFormat)
	}
	copy(e.id[:], p[1:])
	copy(e.tag[:], p[17:])
	e.count = binary.BigEndian.Uint32(p[33:])
	a, k := int(binary.BigEndian.Uint16(p[37:])), int(binary.BigEndian.Uint16(p[39:]))
	if a > MaxName || k > MaxName || envelopeFixed+a+k != len(p) {
		return e, fmt.Errorf("envelope lengths %d, %d: %w", a, k, seal.ErrFormat)
	}
	e.address, e.key = p[envelopeFixed:envelopeFixed+a], p[envelopeFixed+a:]
	return e, nil
}

// names fails unless the envelope was written for this record.
func (e *envelope) names(record []byte) error {
	h, err := seal.ParseRecord(record)
	if err != nil {
		return err
	}
	if h.ID != e.id || [16]byte(record[len(record)-16:]) != e.tag {
		return fmt.Errorf("envelope of another record: %w", seal.ErrOpen)
	}
	return nil
}

// splitValue gives the sealed envelope and the record of a stored value.
func splitValue(v []byte) (box, record []byte, err error) {
	if len(v) < valueHeader {
		return nil, nil, fmt.Errorf("stored message of %d bytes: %w", len(v), seal.ErrFormat)
	}
	n, rest := uint64(binary.BigEndian.Uint32(v)), v[valueHeader:]
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("sealed envelope of %d bytes: %w", n, seal.ErrFormat)
	}
	return rest[:n], rest[n:], nil
}
