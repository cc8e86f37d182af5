package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// contentHead is class, weight, body size and the first word of flags.
const contentHead = 2 + 2 + 8 + 2

// ContentHeader is a content header frame's payload. Raw, flags and property
// list, aliases the payload and is not looked at: see Properties.Parse.
type ContentHeader struct {
	Class    uint16
	Weight   uint16 // must be 0; RabbitMQ treats another weight as no header at all
	BodySize uint64 // octets of the body frames together; the caller bounds it
	Raw      []byte
}

// ParseContentHeader reads the payload of a content header frame. It fails only
// when the payload is too short, with an *Error around ErrSyntax.
func ParseContentHeader(payload []byte) (ContentHeader, error) {
	if len(payload) < contentHead {
		return ContentHeader{}, contentError(ErrSyntax)
	}
	return ContentHeader{
		Class:    binary.BigEndian.Uint16(payload),
		Weight:   binary.BigEndian.Uint16(payload[2:]),
		BodySize: binary.BigEndian.Uint64(payload[4:]),
		Raw:      payload[12:],
	}, nil
}

func contentError(cause error) *Error {
	return &Error{Code: FrameError, Text: "cannot decode content header", Err: cause}
}

// Has says whether all properties in flags are present.
func (p *Properties) Has(flags uint16) bool { return p.Flags&flags == flags }

// Parse reads flags and property list from ContentHeader.Raw in place. It is one
// pass without allocation, and checks everything, the table of headers
// included: what it accepts can be forwarded as it is. The error is an *Error
// around ErrSyntax, ErrFlags, ErrTable or ErrDepth, and p is then undefined.
func (p *Properties) Parse(raw []byte) error {
	r := reader{b: raw}
	*p = Properties{Flags: r.short()}
	for more := p.Flags&moreFlags != 0; more; {
		// Further words of flags could only name properties nobody knows.
		next := r.short()
		if next&^moreFlags != 0 {
			return contentError(ErrFlags)
		}
		more = next&moreFlags != 0
	}
	p.Flags &^= moreFlags
	if p.Flags&^knownFlags != 0 {
		return contentError(ErrFlags)
	}
	p.decode(&r)
	if r.err == nil && len(r.b) != 0 {
		r.err = ErrSyntax
	}
	if r.err != nil {
		return contentError(r.err)
	}
	return nil
}

// moreFlags in a word of flags says that another word follows.
const moreFlags uint16 = 1

// HeaderTable decodes the headers property; nil when it is absent.
func (p *Properties) HeaderTable() (Table, error) {
	if !p.Has(FlagHeaders) {
		return nil, nil
	}
	return ParseTable(p.Headers)
}

// SetHeaderTable puts t into Headers and marks it present.
func (p *Properties) SetHeaderTable(t Table) error {
	b, err := AppendTable(nil, t)
	if err != nil {
		return argument(err, "headers")
	}
	p.Headers, p.Flags = b[tableHead:], p.Flags|FlagHeaders
	return nil
}

// Append appends flags and property list. Headers are written as they are. On
// an error, around ErrShortstr, ErrLongstr or ErrFlags, dst is returned as it was.
func (p *Properties) Append(dst []byte) ([]byte, error) {
	if p.Flags&^knownFlags != 0 {
		return dst, ErrFlags
	}
	out, err := p.append(appendShort(dst, p.Flags))
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendContentHeader appends the payload of a content header frame (not the
// frame) for class basic: the form in which a message's header is kept.
func AppendContentHeader(dst []byte, bodySize uint64, p *Properties) ([]byte, error) {
	out := appendLonglong(append(dst, 0, byte(ClassBasic), 0, 0), bodySize)
	out, err := p.Append(out)
	if err != nil {
		return dst, fmt.Errorf("encode content header: %w", err)
	}
	return out, nil
}

// AppendHeader appends a content header frame. Payload is from
// AppendContentHeader or the payload of a received header frame.
func AppendHeader(dst []byte, channel uint16, payload []byte) []byte {
	return AppendFrame(dst, Frame{Type: FrameHeader, Channel: channel, Payload: payload})
}

// AppendBody appends body as body frames of at most frameMax octets, none for
// an empty body. It may be called again for the next part of a body. A
// frameMax of 0 means DefaultFrameMax, a smaller one than FrameMinSize counts
// as FrameMinSize.
func AppendBody(dst []byte, channel uint16, body []byte, frameMax uint32) []byte {
	for part := range slices.Chunk(body, bodyMax(frameMax)) {
		dst = appendFrameHead(dst, FrameBody, channel, len(part))
		dst = append(append(dst, part...), FrameEnd)
	}
	return dst
}

// bodyMax gives the largest payload of a body frame. It is positive whatever a
// peer negotiated, so that splitting ends.
func bodyMax(frameMax uint32) int {
	if frameMax == 0 {
		frameMax = DefaultFrameMax
	}
	return int(max(frameMax, FrameMinSize) - FrameOverhead)
}

// contentSize bounds the octets of a content's frames, to grow dst once.
func contentSize(header, body []byte, frameMax uint32) int {
	frames := 2 + len(body)/bodyMax(frameMax)
	return len(header) + len(body) + frames*FrameOverhead
}

// checkContent refuses to send a header that announces another body.
func checkContent(header, body []byte) error {
	h, err := ParseContentHeader(header)
	if err != nil {
		return err
	}
	if h.BodySize != uint64(len(body)) {
		return ErrBodySize
	}
	return nil
}
