package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Rows of shard 0. Their keys are the namespace's id and, for a queue, its id,
// else a MAC of what identifies it; doc/format/broker.md.
const rowVersion = 1

// Flags of rows.
const (
	flagDurable    = 1 << 0
	flagAutoDelete = 1 << 1
	flagInternal   = 1 << 2
	flagGroups     = 1 << 3
	flagSingle     = 1 << 4
	flagKeepAll    = 1 << 5
	flagFair       = 1 << 6
)

func namespaceRow(id NamespaceID) []byte { return append([]byte("n"), id[:]...) }

func queueRow(ns NamespaceID, id queueID) []byte {
	return binary.BigEndian.AppendUint64(ns[:len(ns):len(ns)], uint64(id))
}

func addressRow(db *control.DB, ns NamespaceID, name string) []byte {
	return append(ns[:len(ns):len(ns)], db.MAC("broker/address", string(ns[:]), name)...)
}

func bindingRow(db *control.DB, ns NamespaceID, b *binding) []byte {
	if b.queue.post {
		mac := db.MAC("broker/onward", string(ns[:]), b.key.source, b.queue.spec.Name, b.key.key,
			b.key.args)
		return append(ns[:len(ns):len(ns)], mac...)
	}
	id := string(binary.BigEndian.AppendUint64(nil, uint64(b.queue.id)))
	mac := db.MAC("broker/binding", string(ns[:]), b.key.source, id, b.key.key, b.key.args)
	return append(ns[:len(ns):len(ns)], mac...)
}

// queueRowVersion is 2: version 1 had no limits.
const queueRowVersion = 2

// appendQueueRow appends version (1), flags (1), maximum priority (1), limits,
// name, arguments.
func appendQueueRow(dst []byte, s *QueueSpec) []byte {
	flags := byte(flagDurable)
	for _, f := range [...]struct {
		set  bool
		flag byte
	}{
		{s.AutoDelete, flagAutoDelete}, {s.Groups, flagGroups}, {s.SingleActive, flagSingle},
		{s.KeepAll, flagKeepAll}, {s.Fair, flagFair},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	dst = append(dst, queueRowVersion, flags, s.MaxPriority)
	dst = s.Limits.append(dst)
	return appendText(appendText(dst, s.Name), string(s.Arguments))
}

func parseQueueRow(p []byte) (s QueueSpec, err error) {
	r := rowParser{rest: p}
	version, flags := r.byte(), r.byte()
	switch version {
	case rowVersion:
	case queueRowVersion:
		s.MaxPriority = r.byte()
		s.Limits = parseLimits(&r)
	default:
		r.failed = true
	}
	s.Name, s.Arguments = r.text(), []byte(r.text())
	s.Durable, s.AutoDelete = flags&flagDurable != 0, flags&flagAutoDelete != 0
	s.Groups, s.SingleActive = flags&flagGroups != 0, flags&flagSingle != 0
	s.KeepAll, s.Fair = flags&flagKeepAll != 0, flags&flagFair != 0
	return s, r.end("queue")
}

// addressRowVersion is 2: version 1 had no alternate.
const addressRowVersion = 2

// appendAddressRow appends version (1), flags (1), kind (1), name, arguments,
// alternate.
func appendAddressRow(dst []byte, a *Address) []byte {
	flags := byte(flagDurable)
	if a.AutoDelete {
		flags |= flagAutoDelete
	}
	if a.Internal {
		flags |= flagInternal
	}
	dst = append(dst, addressRowVersion, flags, byte(a.Kind))
	dst = appendText(appendText(dst, a.Name), string(a.Arguments))
	return appendText(dst, a.Alternate)
}

func parseAddressRow(p []byte) (a Address, err error) {
	r := rowParser{rest: p}
	version, flags := r.byte(), r.byte()
	a.Kind = AddressKind(r.byte())
	a.Name, a.Arguments = r.text(), []byte(r.text())
	switch version {
	case rowVersion:
	case addressRowVersion:
		a.Alternate = r.text()
	default:
		r.failed = true
	}
	a.Durable, a.AutoDelete = flags&flagDurable != 0, flags&flagAutoDelete != 0
	a.Internal = flags&flagInternal != 0
	return a, r.end("address")
}

// onwardRowVersion is of bindings that lead to an address.
const onwardRowVersion = 2

// appendBindingRow appends version (1), queue id (8) or name of the address, source,
// key, arguments.
func appendBindingRow(dst []byte, b *binding) []byte {
	if b.queue.post {
		dst = appendText(append(dst, onwardRowVersion), b.queue.spec.Name)
	} else {
		dst = binary.BigEndian.AppendUint64(append(dst, rowVersion), uint64(b.queue.id))
	}
	dst = appendText(appendText(dst, b.key.source), b.key.key)
	return appendText(dst, b.key.args)
}

// parseBindingRow gives the id of a queue, or the name of an address.
func parseBindingRow(p []byte) (id queueID, onward string, key bindingKey, err error) {
	r := rowParser{rest: p}
	switch r.byte() {
	case rowVersion:
		id = queueID(r.uint64())
	case onwardRowVersion:
		onward = r.text()
		r.failed = r.failed || onward == ""
	default:
		r.failed = true
	}
	key = bindingKey{source: r.text(), key: r.text(), args: r.text()}
	return id, onward, key, r.end("binding")
}

// appendText appends length (4) and bytes.
func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// rowParser takes values off the front of a row; after a failure it gives
// zeros.
type rowParser struct {
	rest   []byte
	failed bool
}

func (r *rowParser) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return make([]byte, min(n, 16))
	}
	p := r.rest[:n]
	r.rest = r.rest[n:]
	return p
}

func (r *rowParser) byte() byte     { return r.take(1)[0] }
func (r *rowParser) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *rowParser) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *rowParser) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// shortBytes gives a slice of the row.
func (r *rowParser) shortBytes() []byte {
	n := r.uint16()
	if p := r.take(uint64(n)); !r.failed {
		return p
	}
	return nil
}

func (r *rowParser) short() string { return string(r.shortBytes()) }

func (r *rowParser) text() string {
	n := r.uint32()
	p := r.take(uint64(n))
	if r.failed {
		return ""
	}
	return string(p)
}

func (r *rowParser) version() {
	if r.byte() != rowVersion {
		r.failed = true
	}
}

func (r *rowParser) end(what string) error {
	if r.failed || len(r.rest) > 0 {
		return fmt.Errorf("%w: row of %s", store.ErrDamaged, what)
	}
	return nil
}
