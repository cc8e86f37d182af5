package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// facts is what is known of a message in a queue without opening it. Times are
// domain time in milliseconds.
type facts struct {
	body     int    // bytes of the body
	count    uint32 // how often it was released, as far as that is durable
	received int64  // shard time of the first receive; 0: none. Not in the envelope
	enqueued int64
	expires  int64 // 0: never
	own      int64 // its own time to live plus 1, in milliseconds; 0: none
	lasting  bool  // it is durable where the queue is
	priority uint8 // its own, if higher than the queue has them; else 0
	address  string
	key      string
	extra    *extra // nil for most
}

// extra is what few messages have.
type extra struct {
	group   string
	history History
	copies  []string
	apart   *apart
}

func (f *facts) group() string {
	if f.extra == nil {
		return ""
	}
	return f.extra.group
}

// copies are the message's further keys.
func (f *facts) copies() []string {
	if f.extra == nil {
		return nil
	}
	return f.extra.copies
}

// envelope is what is stored beside a record and is sealed to its place: which
// record belongs here, and the facts.
type envelope struct {
	id  [16]byte // the record's message id
	tag [16]byte // the record's authentication tag
	facts
	// In place of the strings of facts, slices of what was parsed.
	address, key []byte
}

// Versions and sizes of envelopes in bytes.
const (
	envelopeVersion = 2
	envelopeFixed   = 1 + 2 + 16 + 16 + 4 + 8 + 4
	valueHeader     = 4 // length of the sealed envelope
)

// Flags of an envelope.
const (
	flagExpires = 1 << 0
	flagGroup   = 1 << 1
	flagHistory = 1 << 2
	flagShared  = 1 << 3
	flagParts   = 1 << 4
	flagOwn     = 1 << 5
	flagLasting = 1 << 6
	flagCopies  = 1 << 7
	flagRank    = 1 << 8
)

// flags tells what an envelope of f has.
func (f *facts) flags() (flags uint16) {
	if f.expires != 0 {
		flags |= flagExpires
	}
	if f.extra != nil && f.extra.group != "" {
		flags |= flagGroup
	}
	if f.extra != nil && len(f.extra.history.Deaths) > 0 {
		flags |= flagHistory
	}
	if len(f.copies()) > 0 {
		flags |= flagCopies
	}
	if a := f.apart(); a != nil {
		if a.shared {
			flags |= flagShared
		}
		if a.parts > 0 {
			flags |= flagParts
		}
	}
	if f.own != 0 {
		flags |= flagOwn
	}
	if f.lasting {
		flags |= flagLasting
	}
	if f.priority != 0 {
		flags |= flagRank
	}
	return flags
}

// lifetime is the message's own time to live.
func (f *facts) lifetime() Bound {
	if f.own == 0 {
		return Bound{}
	}
	return AtMost(f.own - 1)
}

func notSealed(err error) error {
	return fault.Wrap(fault.Invalid, err, "not a sealed message")
}

// checkNames reports texts that an envelope cannot hold.
func checkNames(m *Message) error {
	if len(m.Address) > MaxName || len(m.Key) > MaxName || len(m.Group) > MaxName {
		return fault.New(fault.Invalid, "address, key or group is over %d bytes", MaxName)
	}
	if len(m.Copies) > MaxCopies {
		return fault.New(fault.Invalid, "more than %d further keys", MaxCopies)
	}
	for _, k := range m.Copies {
		if len(k) > MaxName {
			return fault.New(fault.Invalid, "key is over %d bytes", MaxName)
		}
	}
	return nil
}

// appendTexts appends their number (2) and texts.
func appendTexts(dst []byte, list []string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, s := range list {
		dst = appendShort(dst, s)
	}
	return dst
}

func (r *rowParser) texts() []string {
	n := int(r.uint16())
	if r.failed = r.failed || n > MaxCopies; r.failed {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.short()
	}
	return list
}

// appendEnvelope appends version (1), flags (2), id (16), tag (16), count (4),
// time of publishing (8), bytes of the body (4); by flags the time of expiry (8),
// group, history, parts (4) and their bytes (8), own time to live (8), number (2) of
// further keys and those, its own priority (1); address, key. Texts are length (2) and bytes.
func appendEnvelope(dst, record []byte, f *facts) ([]byte, error) {
	h, err := seal.ParseRecord(record)
	if err != nil {
		return dst, notSealed(err)
	}
	flags := f.flags()
	dst = binary.BigEndian.AppendUint16(append(dst, envelopeVersion), flags)
	dst = append(append(dst, h.ID[:]...), record[len(record)-16:]...)
	dst = binary.BigEndian.AppendUint32(dst, f.count)
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.enqueued))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.body))
	if flags&flagExpires != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(f.expires))
	}
	if flags&flagGroup != 0 {
		dst = appendShort(dst, f.extra.group)
	}
	if flags&flagHistory != 0 {
		dst = f.extra.history.append(dst)
	}
	if flags&flagParts != 0 {
		a := f.extra.apart
		dst = binary.BigEndian.AppendUint32(dst, a.parts)
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.bytes))
	}
	if flags&flagOwn != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(f.own-1))
	}
	if flags&flagCopies != 0 {
		dst = appendTexts(dst, f.extra.copies)
	}
	if flags&flagRank != 0 {
		dst = append(dst, f.priority)
	}
	return appendShort(appendShort(dst, f.address), f.key), nil
}

// parseEnvelope gives slices of p. It reads version 1, too, which had no facts
// but count, address and key.
func parseEnvelope(p []byte) (e envelope, err error) {
	if len(p) > 0 && p[0] == 1 {
		return parseEnvelope1(p)
	}
	if len(p) < envelopeFixed || p[0] != envelopeVersion {
		return e, fmt.Errorf("envelope of %d bytes: %w", len(p), seal.ErrFormat)
	}
	r := rowParser{rest: p[1:]}
	flags := r.uint16()
	copy(e.id[:], r.take(16))
	copy(e.tag[:], r.take(16))
	e.count = r.uint32()
	e.enqueued = int64(r.uint64())
	e.body = int(r.uint32())
	if flags&flagExpires != 0 {
		e.expires = int64(r.uint64())
	}
	if flags&(flagGroup|flagHistory|flagShared|flagParts|flagCopies) != 0 {
		e.extra = &extra{}
	}
	if flags&flagGroup != 0 {
		e.extra.group = r.short()
	}
	if flags&flagHistory != 0 {
		if e.extra.history, err = parseHistory(&r); err != nil {
			return e, err
		}
	}
	if flags&(flagShared|flagParts) != 0 {
		e.extra.apart = &apart{id: e.id, shared: flags&flagShared != 0}
	}
	if a := e.apart(); flags&flagParts != 0 {
		a.parts, a.bytes = r.uint32(), int64(r.uint64())
		r.failed = r.failed || a.bad()
	}
	if flags&flagOwn != 0 {
		e.own = int64(r.uint64()&(1<<63-1)) + 1
	}
	if flags&flagCopies != 0 {
		e.extra.copies = r.texts()
	}
	if flags&flagRank != 0 {
		e.priority = r.byte()
	}
	e.lasting = flags&flagLasting != 0
	e.address, e.key = r.shortBytes(), r.shortBytes()
	switch {
	case r.failed, len(r.rest) > 0, flags != e.facts.flags():
		return e, fmt.Errorf("envelope with flags %x: %w", flags, seal.ErrFormat)
	}
	return e, nil
}

// parseEnvelope1 reads version (1), id (16), tag (16), count (4), lengths of
// address and key (2 each), address, key.
func parseEnvelope1(p []byte) (e envelope, err error) {
	const fixed = 1 + 16 + 16 + 4 + 2 + 2
	if len(p) < fixed {
		return e, fmt.Errorf("envelope of %d bytes: %w", len(p), seal.ErrFormat)
	}
	copy(e.id[:], p[1:])
	copy(e.tag[:], p[17:])
	e.count = binary.BigEndian.Uint32(p[33:])
	a, k := int(binary.BigEndian.Uint16(p[37:])), int(binary.BigEndian.Uint16(p[39:]))
	if a > MaxName || k > MaxName || fixed+a+k != len(p) {
		return e, fmt.Errorf("envelope lengths %d, %d: %w", a, k, seal.ErrFormat)
	}
	e.address, e.key = p[fixed:fixed+a], p[fixed+a:]
	return e, nil
}

// names fails unless the envelope was written for this record.
func (e *envelope) names(record []byte) error {
	h, err := seal.ParseRecord(record)
	if err != nil {
		return err
	}
	a := e.apart()
	parts := a != nil && a.parts > 0
	if h.ID != e.id || [16]byte(record[len(record)-16:]) != e.tag ||
		(h.Flags&seal.FlagHead != 0) != parts || h.Flags&seal.FlagPart != 0 {
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
