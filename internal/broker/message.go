package broker

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Content is the plaintext of a message. The broker does not look inside:
// Format is a number that the protocols agree on, Header a protocol's own bytes
// (in AMQP 0-9-1 the property flags and list of the content header).
type Content struct {
	Format uint8
	Header []byte
	Body   []byte
}

// Sealed is what Seal gives. Record and Chunks are the broker's once published,
// and never changed.
type Sealed struct {
	Record []byte
	Chunks [][]byte // what does not fit Record, in order
	Size   int      // bytes of the plaintext
	Body   int      // bytes of the body

	origin *origin // nil: small, or not of Seal
	apart  *apart  // the owner's: what of it is stored apart
}

// Message is a sealed message and what must be known to route and store it.
// Seal sets the first field, the caller the others.
type Message struct {
	Sealed

	Durable  bool   // survives a restart in durable queues
	Priority uint8  // higher ones go first, as far as the queue has them
	Address  string // what it was published to; at most MaxName bytes
	Key      string // routing key; at most MaxName bytes
	Group    string // in queues with Groups or Fair; at most MaxName bytes
	// Copies are further keys that it was published with: when it dies and keeps its
	// keys, it goes where they lead, too. At most MaxCopies of MaxName bytes; the
	// broker's once published. Another namespace does not hear of them.
	Copies []string
	Delay  Bound // milliseconds of domain time before it is ready; else Limits.Delay
	Expiry Bound // milliseconds of domain time that it may wait in a queue
	// Dedup is from Namespace.DedupID; a queue with Limits.Dedup keeps one message
	// of an id within the window. Zero: none.
	Dedup [16]byte

	kept *kept // of one that is moved
}

// Weight is the bytes of the sealed message and of its further keys.
func (m *Message) Weight() int64 { return m.Sealed.Weight() + sizeOf(m.Copies) }

// sizeOf is what texts take in memory, which is more than stored.
func sizeOf(list []string) (n int64) {
	for _, s := range list {
		n += int64(len(s)) + textOverhead
	}
	return n
}

// textOverhead is what a text needs besides its bytes.
const textOverhead = 16

// MaxCopies bounds Message.Copies.
const MaxCopies = 256

// The plaintext of a record: format (1), length of header (4), header, body.
const contentPrefix = 1 + 4

// Seal appends the sealed record of c to dst and returns the message with
// Record, which aliases dst when dst has room, Chunks, Size and Body; the caller
// fills the rest. SizeClass is set here, and Enqueued when it is zero. It runs on the
// caller's goroutine. Errors: fault.Invalid over Config.MaxMessage,
// fault.Exhausted of Config.Room, and fault.KeyUnavailable or fault.Unavailable
// while the domain is locked.
func (n *Namespace) Seal(dst []byte, c Content, f seal.Facts) (Message, error) {
	if room := n.core.cfg.Room; room != nil {
		if err := room(); err != nil {
			return Message{}, err
		}
	}
	size := contentPrefix + len(c.Header) + len(c.Body)
	if size > n.core.cfg.MaxMessage {
		return Message{}, fault.New(fault.Invalid,
			"message of %d bytes is larger than the limit of %d", size, n.core.cfg.MaxMessage)
	}
	now := n.core.cfg.Now().UnixMilli()
	h := seal.Header{Facts: f, ID: newMessageID(now)}
	h.Facts.SizeClass = uint8(bits.Len(uint(size - 1)))
	if h.Facts.Enqueued == 0 {
		h.Facts.Enqueued = now
	}
	buf := n.core.plain.Get().(*[]byte)
	defer n.core.plain.Put(buf)
	if size > partBytes {
		*buf = slices.Grow((*buf)[:0], partBytes)
		return n.sealParts(dst, h, c, *buf)
	}
	p := append((*buf)[:0], c.Format)
	p = binary.BigEndian.AppendUint32(p, uint32(len(c.Header)))
	p = append(append(p, c.Header...), c.Body...)
	if cap(p) <= keepPlain {
		*buf = p[:0]
	}
	if need := size + seal.RecordOverhead; cap(dst)-len(dst) < need {
		dst = make([]byte, 0, need)
	}
	at := len(dst)
	dst, err := n.domain.Seal(dst, h, p)
	clear(p)
	if err != nil {
		return Message{}, err
	}
	m := Message{Sealed: Sealed{
		Record: dst[at:len(dst):len(dst)], Size: size, Body: len(c.Body),
	}}
	if len(m.Record) > shareBytes {
		m.origin = &origin{}
	}
	return m, nil
}

// keepPlain bounds the scratch buffers that stay in the pool, in bytes.
const keepPlain = 256 << 10

// OpenDelivery opens d into dst[:0] (which needs d.Size bytes of capacity to
// save an allocation) and gives content that aliases that memory. A delivery of
// a consumer or Get that settles automatically is settled by this. It runs on
// the caller's goroutine, and reads the chunks of a large message from the store.
// Errors: fault.KeyUnavailable or fault.Unavailable while locked (then Return the
// delivery); any other means that the message is damaged.
func (n *Namespace) OpenDelivery(dst []byte, d *Delivery) (Content, error) {
	if cap(dst) < d.Size {
		dst = make([]byte, 0, d.Size)
	}
	var plain []byte
	var err error
	if d.apart == nil {
		plain, err = n.domain.Open(dst[:0], d.Record)
	} else {
		plain, err = n.openParts(dst[:0], d)
	}
	if err != nil {
		return Content{}, fmt.Errorf("open delivery: %w", err)
	}
	c, err := parseContent(plain)
	if err != nil {
		return Content{}, err
	}
	if d.auto {
		d.session.autoSettle(d.Ref)
	}
	return c, nil
}

func parseContent(p []byte) (Content, error) {
	if len(p) < contentPrefix {
		return Content{}, fmt.Errorf("content of %d bytes: %w", len(p), seal.ErrFormat)
	}
	n := binary.BigEndian.Uint32(p[1:])
	rest := p[contentPrefix:]
	if uint64(n) > uint64(len(rest)) {
		return Content{}, fmt.Errorf("content header of %d bytes: %w", n, seal.ErrFormat)
	}
	return Content{Format: p[0], Header: rest[:n:n], Body: rest[n:]}, nil
}

// newMessageID makes a UUIDv7 (RFC 9562, section 5.7). It must be unique and is no secret,
// so its random bits need no call of the system for each message.
func newMessageID(milli int64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(milli)<<16|0x7000|rand.Uint64()>>52)
	binary.BigEndian.PutUint64(id[8:], 1<<63|rand.Uint64()>>2)
	return id
}

// plainSize gives the bytes of the plaintext of a message.
func plainSize(record int, a *apart) int {
	n := max(record-seal.RecordOverhead, 0)
	if a != nil && a.parts > 0 {
		n += int(a.bytes) - int(a.parts)*seal.PartOverhead - headTail
	}
	return max(n, 0)
}
