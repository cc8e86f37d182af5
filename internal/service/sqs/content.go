package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/broker"
	"coffer/internal/seal"
)

// ContentFormat is the format number of what this service seals; doc/format/services.md
// describes the header.
const ContentFormat = 3

// Versions of the header. The first had no digest of the body.
const (
	contentVersion1 = 1
	contentVersion  = 2
)

// message is what SQS keeps of a message beside its body. All of it is sealed.
type message struct {
	sum        [md5.Size]byte // of the body
	sent       time.Time      // in milliseconds
	sender     string         // unique id
	group      string
	dedup      string
	trace      string // X-Ray's header
	attributes map[string]api.MessageAttributeValue
}

// append encodes the header: version (1), MD5 of the body (16), time of the send in
// milliseconds (8), then sender, group, deduplication id and trace header, number of
// attributes, and of each its name, its type and its value. Numbers are uvarints, texts
// and values have their length before them.
func (m *message) append(dst []byte) []byte {
	dst = append(append(dst, contentVersion), m.sum[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.sent.UnixMilli()))
	for _, s := range [...]string{m.sender, m.group, m.dedup, m.trace} {
		dst = appendText(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.attributes)))
	for _, name := range slices.Sorted(maps.Keys(m.attributes)) {
		v := m.attributes[name]
		dst = appendText(appendText(dst, name), v.DataType)
		if isBinary(v.DataType) {
			dst = appendText(dst, v.BinaryValue)
		} else {
			dst = appendText(dst, v.StringValue)
		}
	}
	return dst
}

func appendText[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parseMessage reads the header of a content. What it gives is copied.
func parseMessage(c broker.Content) (m message, err error) {
	p := parser{rest: c.Header}
	version := p.take(1)
	switch {
	case c.Format != ContentFormat || p.failed ||
		version[0] != contentVersion && version[0] != contentVersion1:
		return m, fmt.Errorf("content of format %d: %w", c.Format, seal.ErrFormat)
	case version[0] == contentVersion1:
		m.sum = digestOf(c.Body)
	default:
		copy(m.sum[:], p.take(md5.Size))
	}
	if b := p.take(8); !p.failed {
		m.sent = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	}
	for _, s := range [...]*string{&m.sender, &m.group, &m.dedup, &m.trace} {
		*s = string(p.text())
	}
	for n := p.number(); n > 0 && !p.failed; n-- {
		name := string(p.text())
		v := api.MessageAttributeValue{DataType: string(p.text())}
		if value := p.text(); isBinary(v.DataType) {
			v.BinaryValue = slices.Clone(value)
		} else {
			v.StringValue = string(value)
		}
		if m.attributes == nil {
			m.attributes = map[string]api.MessageAttributeValue{}
		}
		m.attributes[name] = v
	}
	if p.failed || len(p.rest) > 0 {
		return m, fmt.Errorf("header of %d bytes: %w", len(c.Header), seal.ErrFormat)
	}
	return m, nil
}

// parser reads a header; once failed it gives nothing.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) take(n uint64) []byte {
	if p.failed || n > uint64(len(p.rest)) {
		p.failed = true
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) number() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.failed = true
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) text() []byte { return p.take(p.number()) }
