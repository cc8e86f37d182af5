package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// parcel is a message on its way to another shard. The batch that takes it out of
// its queue, or commits it, writes it to the outbox of the source; the target
// inserts it in the batch that notes its sequence; then the source deletes it.
type parcel struct {
	sequence  uint64 // in the outbox from its source to its target, from 1
	namespace NamespaceID
	queue     queueID // 0: a dead letter, whose address and key tell the queues
	name      string  // of the queue
	message   Message // without Dedup; apart is nil unless it has parts
	history   *History
	rounds    bool // burial.rounds
}

const (
	parcelVersion = 1

	parcelDurable = 1 << 0
	parcelQueue   = 1 << 1
	parcelExpires = 1 << 2
	parcelHistory = 1 << 3
	parcelDelay   = 1 << 4
	parcelParts   = 1 << 5
	parcelMoved   = 1 << 6
	parcelRounds  = 1 << 7
)

// append writes version (1), flags (1), priority (1), namespace (16), id (16) and
// tag (16) of the record, bytes of the body (4); by flags the id (8) and name of the
// queue, the time to live (8), the delay (8), the history, the number of parts (4)
// and their bytes (8), times of publishing and of expiry (8 each); group, address, key.
// Texts are length (2) and bytes.
func (p *parcel) append(dst []byte) ([]byte, error) {
	m := &p.message
	h, err := seal.ParseRecord(m.Record)
	if err != nil {
		return dst, notSealed(err)
	}
	var flags byte
	for _, f := range [...]struct {
		set  bool
		flag byte
	}{
		{m.Durable, parcelDurable}, {p.queue != 0, parcelQueue}, {m.Expiry.Set, parcelExpires},
		{p.history != nil, parcelHistory}, {m.Delay.Set, parcelDelay},
		{m.apart != nil, parcelParts}, {m.kept != nil, parcelMoved},
		{p.rounds, parcelRounds},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	dst = append(append(dst, parcelVersion, flags, m.Priority), p.namespace[:]...)
	dst = append(append(dst, h.ID[:]...), m.Record[len(m.Record)-16:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.Body))
	if p.queue != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.queue))
		dst = appendShort(dst, p.name)
	}
	if m.Expiry.Set {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.Expiry.N))
	}
	if m.Delay.Set {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.Delay.N))
	}
	if p.history != nil {
		dst = p.history.append(dst)
	}
	if m.apart != nil {
		dst = binary.BigEndian.AppendUint32(dst, m.apart.parts)
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.apart.bytes))
	}
	if m.kept != nil {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.kept.enqueued))
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.kept.expires))
	}
	return appendShort(appendShort(appendShort(dst, m.Group), m.Address), m.Key), nil
}

// parseParcel reads what stands beside record, which the parcel must be for. The
// parcel keeps record.
func parseParcel(plain, record []byte) (p parcel, err error) {
	bad := func() (parcel, error) {
		return p, fmt.Errorf("parcel of %d bytes: %w", len(plain), seal.ErrFormat)
	}
	r := rowParser{rest: plain}
	version, flags := r.byte(), r.byte()
	m := &p.message
	m.Priority = r.byte()
	var e envelope
	copy(p.namespace[:], r.take(16))
	copy(e.id[:], r.take(16))
	copy(e.tag[:], r.take(16))
	m.Body, m.Durable = int(r.uint32()), flags&parcelDurable != 0
	if flags&parcelQueue != 0 {
		p.queue, p.name = queueID(r.uint64()), r.short()
		r.failed = r.failed || p.queue == 0
	}
	if flags&parcelExpires != 0 {
		m.Expiry = AtMost(int64(r.uint64()))
		r.failed = r.failed || m.Expiry.N < 0
	}
	if flags&parcelDelay != 0 {
		m.Delay = AtMost(int64(r.uint64()))
	}
	if flags&parcelHistory != 0 {
		h, err := parseHistory(&r)
		if err != nil {
			return p, err
		}
		p.history = &h
	}
	if flags&parcelParts != 0 {
		m.apart = &apart{id: e.id, parts: r.uint32(), bytes: int64(r.uint64())}
		e.extra = &extra{apart: m.apart}
		r.failed = r.failed || m.apart.bad()
	}
	if flags&parcelMoved != 0 {
		m.kept = &kept{int64(r.uint64()), int64(r.uint64())}
		r.failed = r.failed || m.kept.enqueued < 0 || m.kept.expires < 0
	}
	p.rounds = flags&parcelRounds != 0
	m.Group, m.Address, m.Key = r.short(), r.short(), r.short()
	if version != parcelVersion || r.failed || len(r.rest) > 0 {
		return bad()
	}
	m.Record, m.Size = record, plainSize(len(record), m.apart)
	return p, e.names(record)
}

// parcelKey appends class (1), target shard (2), sequence (8).
func parcelKey(dst []byte, to store.ShardID, seq uint64) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, byte(classParcel)), uint16(to))
	return binary.BigEndian.AppendUint64(dst, seq)
}

func parseParcelKey(key []byte) (to store.ShardID, seq uint64, err error) {
	if len(key) != 1+2+8 || class(key[0]) != classParcel {
		return 0, 0, fmt.Errorf("parcel key %x: %w", key, store.ErrDamaged)
	}
	to = store.ShardID(binary.BigEndian.Uint16(key[1:]))
	return to, binary.BigEndian.Uint64(key[3:]), nil
}

// outboxID names an outbox: its shard, and the one that its parcels' namespaces were made
// in.
type outboxID struct{ from, slot store.ShardID }

// takenKey appends class (1), source shard (2), and unless it is the shard at, slot (2).
func takenKey(dst []byte, of outboxID, at store.ShardID) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, byte(classTaken)), uint16(of.from))
	if of.slot == at {
		return dst
	}
	return binary.BigEndian.AppendUint16(dst, uint16(of.slot))
}

func parseTakenKey(key []byte, at store.ShardID) (of outboxID, err error) {
	r := rowParser{rest: key}
	c := class(r.byte())
	of = outboxID{store.ShardID(r.uint16()), at}
	if len(r.rest) > 0 {
		of.slot = store.ShardID(r.uint16())
		r.failed = r.failed || of.slot == at
	}
	if c != classTaken || r.failed || len(r.rest) > 0 || of.from == 0 || of.slot == 0 {
		return of, fmt.Errorf("key %x of a sequence taken: %w", key, store.ErrDamaged)
	}
	return of, nil
}

// taken is how far a shard has taken the parcels of another one.
type taken struct {
	sequence uint64 // all up to this
	// Of the next one, what goes to queues up to this id; 0: nothing. One to very many
	// queues takes several batches.
	partly queueID
}

const takenVersion = 1

// append writes version (1), sequence (8), partly (8).
func (t *taken) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, takenVersion), t.sequence)
	return binary.BigEndian.AppendUint64(dst, uint64(t.partly))
}

func parseTaken(p []byte) (t taken, err error) {
	r := rowParser{rest: p}
	version := r.byte()
	t.sequence, t.partly = r.uint64(), queueID(r.uint64())
	if version != takenVersion || r.failed || len(r.rest) > 0 {
		return t, fmt.Errorf("sequence taken, of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return t, nil
}

// parcel gives a parcel to the queue.
func (q *Queue) parcel(m *Message, h *History) *parcel {
	return &parcel{
		namespace: q.namespace.id, queue: q.id, name: q.spec.Name, message: *m, history: h,
	}
}

// sameDomain fails with fault.Invalid unless what was sealed in one namespace can be
// opened in the other.
func sameDomain(a, b *Namespace) error {
	if a == b || a.domain == b.domain {
		return nil
	}
	type named interface{ ID() seal.DomainID }
	x, ok := a.domain.(named)
	y, ok2 := b.domain.(named)
	if ok && ok2 && x.ID() == y.ID() {
		return nil
	}
	return fault.New(fault.Invalid, "the namespaces are of different domains")
}
