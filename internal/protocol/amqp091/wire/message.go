package wire

import (
	"fmt"
	"slices"
)

// methodRoom bounds the frame of a method with content: three short strings
// and less than 64 octets beside them.
const methodRoom = 3*(1+maxShortstr) + 64

// AppendPublish appends basic.publish with its content: the method frame, the
// header frame around header (a content header payload, whose body size must
// be len(body)) and the body frames. frameMax is the negotiated one. On an
// error, which wraps ErrShortstr, ErrSyntax or ErrBodySize, dst is returned as
// it was. Nothing is allocated when dst has room.
func AppendPublish(
	dst []byte, channel uint16, m *BasicPublish, header, body []byte, frameMax uint32,
) ([]byte, error) {
	c := outgoing{m.ID(), channel, header, body, frameMax}
	out, err := m.append(c.begin(dst))
	return c.finish(dst, out, err)
}

// AppendDeliver appends basic.deliver with its content; see AppendPublish.
func AppendDeliver(
	dst []byte, channel uint16, m *BasicDeliver, header, body []byte, frameMax uint32,
) ([]byte, error) {
	c := outgoing{m.ID(), channel, header, body, frameMax}
	out, err := m.append(c.begin(dst))
	return c.finish(dst, out, err)
}

// AppendReturn appends basic.return with its content; see AppendPublish.
func AppendReturn(
	dst []byte, channel uint16, m *BasicReturn, header, body []byte, frameMax uint32,
) ([]byte, error) {
	c := outgoing{m.ID(), channel, header, body, frameMax}
	out, err := m.append(c.begin(dst))
	return c.finish(dst, out, err)
}

// AppendGetOk appends basic.get-ok with its content; see AppendPublish.
func AppendGetOk(
	dst []byte, channel uint16, m *BasicGetOk, header, body []byte, frameMax uint32,
) ([]byte, error) {
	c := outgoing{m.ID(), channel, header, body, frameMax}
	out, err := m.append(c.begin(dst))
	return c.finish(dst, out, err)
}

// outgoing is a content on its way into frames. The callers append the
// arguments in between themselves: through an interface the method would be
// moved to the heap, once per message.
type outgoing struct {
	id           MethodID
	channel      uint16
	header, body []byte
	frameMax     uint32
}

func (c *outgoing) begin(dst []byte) []byte {
	n := contentSize(c.header, c.body, c.frameMax)
	return appendMethodHead(slices.Grow(dst, methodRoom+n), c.channel, c.id)
}

func (c *outgoing) finish(dst, out []byte, err error) ([]byte, error) {
	if err == nil {
		err = checkContent(c.header, c.body)
	}
	if err != nil {
		return dst, fmt.Errorf("%s: %w", c.id, err)
	}
	out = AppendHeader(endFrame(out, len(dst)), c.channel, c.header)
	return AppendBody(out, c.channel, c.body, c.frameMax), nil
}
