package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// partBytes is the plaintext of one part. What is larger as a whole is sealed in
// parts, so that no section with the key in hand is longer than one of them.
const partBytes = 256 << 10

// maxMessage bounds Config.MaxMessage: 128 MiB with properties.
const maxMessage = 129 << 20

// headTail is what stands at the end of a head: bytes of the whole plaintext (4).
const headTail = 4

// Weight is the bytes of the sealed message.
func (s *Sealed) Weight() int64 {
	n := int64(len(s.Record))
	for _, c := range s.Chunks {
		n += int64(len(c))
	}
	return n
}

// sealParts seals content of more than partBytes: a head with the header, as far
// as it fits, and the rest in parts. They have one message id; number and end
// are authenticated, so that none can stand for another.
func (n *Namespace) sealParts(dst []byte, h seal.Header, c Content, scratch []byte) (
	Message, error,
) {
	size := contentPrefix + len(c.Header) + len(c.Body)
	rest := plainParts{c.Header, c.Body}
	p := append(scratch[:0], c.Format)
	p = binary.BigEndian.AppendUint32(p, uint32(len(c.Header)))
	p = rest.header(p, partBytes-contentPrefix-headTail)
	m := Message{Sealed: Sealed{Size: size, Body: len(c.Body), origin: &origin{}}}
	left := size - len(p)
	p = binary.BigEndian.AppendUint32(p, uint32(size))
	h.Flags |= seal.FlagHead
	at := len(dst)
	dst, err := n.domain.Seal(dst, h, p)
	clear(p)
	if err != nil {
		return Message{}, err
	}
	m.Record = dst[at:len(dst):len(dst)]
	part := seal.Header{Flags: seal.FlagPart, DataKey: h.DataKey, ID: h.ID}
	m.Chunks = make([][]byte, 0, (left+partBytes-1)/partBytes)
	for ; left > 0; left -= min(left, partBytes) {
		if part.Part++; left <= partBytes {
			part.Flags |= seal.FlagLast
		}
		plain := rest.next(p[:0])
		chunk := make([]byte, 0, len(plain)+seal.PartOverhead)
		if chunk, err = n.domain.Seal(chunk, part, plain); err != nil {
			return Message{}, err
		}
		m.Chunks = append(m.Chunks, chunk)
	}
	clear(p[:cap(p)])
	return m, nil
}

// plainParts is what of a header and a body is not sealed yet.
type plainParts struct{ head, body []byte }

// header appends at most n bytes of the header.
func (r *plainParts) header(dst []byte, n int) []byte {
	n = min(n, len(r.head))
	dst = append(dst, r.head[:n]...)
	r.head = r.head[n:]
	return dst
}

// next gives the next partBytes, in place when they are of the body only.
func (r *plainParts) next(scratch []byte) []byte {
	if len(r.head) > 0 {
		scratch = r.header(scratch, partBytes)
	}
	n := min(partBytes-len(scratch), len(r.body))
	p := r.body[:n]
	r.body = r.body[n:]
	if len(scratch) > 0 {
		return append(scratch, p...)
	}
	return p
}

// openParts appends the plaintext of a delivery with parts to dst, each part in
// a section of its own. Nothing of it stays in dst after an error.
func (n *Namespace) openParts(dst []byte, d *Delivery) (plain []byte, err error) {
	at := len(dst)
	plain = dst
	defer func() {
		if err != nil {
			clear(plain[at:])
		}
	}()
	if plain, err = n.domain.Open(dst, d.Record); err != nil {
		return plain, err
	}
	end := len(plain) - headTail
	if end < at {
		return plain, fmt.Errorf("head of %d bytes: %w", len(plain)-at, seal.ErrFormat)
	}
	size := int(binary.BigEndian.Uint32(plain[end:]))
	clear(plain[end:])
	plain = plain[:end]
	if parts := n.shard.warm.get(d.apart.id); parts != nil {
		for i := 0; i < len(parts) && err == nil; i++ {
			plain, err = n.domain.Open(plain, parts[i])
		}
	} else {
		plain, err = n.readParts(plain, d)
	}
	if err == nil && len(plain)-at != size {
		err = fmt.Errorf("%w: message of %d bytes, want %d", store.ErrDamaged, len(plain)-at, size)
	}
	return plain, err
}

// readParts opens parts that are in the store only.
func (n *Namespace) readParts(plain []byte, d *Delivery) (_ []byte, err error) {
	snap := n.shard.store.Snapshot()
	it := snap.Iter(bodyKey(nil, d.apart.id, 1), bodyKey(nil, d.apart.id, d.apart.parts+1))
	for i := uint32(1); i <= d.apart.parts && err == nil; i++ {
		plain, err = n.openPart(plain, snap, it, d, i)
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if cerr := snap.Close(); err == nil {
		err = cerr
	}
	return plain, err
}

// openPart appends the part i, which it must give next.
func (n *Namespace) openPart(
	dst []byte, snap store.Snapshot, it store.Iterator, d *Delivery, i uint32,
) ([]byte, error) {
	if !it.Next() {
		if err := it.Err(); err != nil {
			return dst, err
		}
		return dst, missingPart(snap, d, i)
	}
	id, index, err := parseBodyKey(it.Key())
	if err != nil || id != d.apart.id || index != i {
		return dst, missingPart(snap, d, i)
	}
	if err := checkPart(it.Value(), d.apart, i); err != nil {
		return dst, fmt.Errorf("%w: part %d of message %x: %w", store.ErrDamaged, i, id, err)
	}
	return n.domain.Open(dst, it.Value())
}

// missingPart says why a part is not there. Who is late, because the session was
// closed, the lease ran out or the queue is gone, finds nothing of the message.
func missingPart(snap store.Snapshot, d *Delivery, i uint32) error {
	switch _, ok, err := snap.Get(refKey(nil, d.apart.id, nil)); {
	case err != nil:
		return err
	case !ok:
		return fault.New(fault.NotFound, "The message is gone.")
	}
	return fmt.Errorf("%w: part %d of message %x is missing", store.ErrDamaged, i, d.apart.id)
}

// checkPart fails unless chunk says that it is the part i of a.
func checkPart(chunk []byte, a *apart, i uint32) error {
	h, err := seal.ParseRecord(chunk)
	if err != nil {
		return err
	}
	want := uint8(seal.FlagPart)
	if i == a.parts {
		want |= seal.FlagLast
	}
	if h.Flags != want || h.ID != a.id || h.Part != i {
		return fmt.Errorf("it is another one: %w", seal.ErrOpen)
	}
	return nil
}

// bad reports numbers that no message has.
func (a *apart) bad() bool {
	n := int64(a.parts)
	return n == 0 || n > maxMessage/partBytes ||
		a.bytes <= (n-1)*(partBytes+seal.PartOverhead)+seal.PartOverhead ||
		a.bytes > n*(partBytes+seal.PartOverhead)
}

// checkParts reports a message whose chunks are not those of its record.
func checkParts(m *Message) error {
	h, err := seal.ParseRecord(m.Record)
	if err != nil {
		return notSealed(err)
	}
	head := h.Flags&seal.FlagHead != 0
	if h.Flags&seal.FlagPart != 0 || head != (len(m.Chunks) > 0) ||
		len(m.Record) > partBytes+seal.RecordOverhead || len(m.Chunks) > maxMessage/partBytes {
		return fault.New(fault.Invalid, "not a whole sealed message")
	}
	a := apart{id: h.ID, parts: uint32(len(m.Chunks))}
	for i, c := range m.Chunks {
		if err := checkPart(c, &a, uint32(i+1)); err != nil {
			return notSealed(err)
		}
	}
	return nil
}
