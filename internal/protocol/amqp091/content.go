package amqp091

import (
	"coffer/internal/protocol/amqp091/wire"
)

// hugeBody is RabbitMQ's bound of a body: above it the framing itself is
// refused.
const hugeBody = 512 << 20

// Memory that is set aside for a body before it comes: growBody, in octets, then so many
// times what came.
const (
	growBody = 256 << 10
	growth   = 3
)

// stage says which frame of a message comes next.
type stage uint8

const (
	wantMethod stage = iota
	wantHeader
	wantBody
)

// assembly is a message on its way in. Header and body are copies.
type assembly struct {
	stage     stage
	mandatory bool
	header    []byte // property flags and list
	size      int
	body      []byte
}

// contentHeader handles the frame after basic.publish.
func (c *conn) contentHeader(ch *channel, f wire.Frame) error {
	if f.Type != wire.FrameHeader {
		return refuse(wire.UnexpectedFrame,
			"expected content header for class %d, got non content header frame instead",
			wire.ClassBasic)
	}
	h, err := wire.ParseContentHeader(f.Payload)
	if err != nil {
		return err
	}
	switch {
	case h.Weight != 0:
		return refuse(wire.UnexpectedFrame,
			"expected content header for class %d, got non content header frame instead",
			wire.ClassBasic)
	case h.Class != wire.ClassBasic:
		return refuse(wire.UnexpectedFrame,
			"expected content header for class %d, got one for class %d instead",
			wire.ClassBasic, h.Class)
	case h.BodySize > hugeBody:
		return refuse(wire.FrameError, "content body size %d exceeds maximum allowed size %d",
			h.BodySize, hugeBody)
	case h.BodySize > uint64(c.srv.cfg.MaxMessage):
		// RabbitMQ says the same when it has read it all.
		return refuse(wire.PreconditionFailed,
			"message size %d is larger than configured max size %d",
			h.BodySize, c.srv.cfg.MaxMessage)
	case h.BodySize == 0:
		ch.content.stage = wantMethod
		return c.message(ch, h.Raw, nil)
	}
	a := &ch.content
	a.header = append(a.header[:0], h.Raw...)
	a.stage, a.size = wantBody, int(h.BodySize)
	return nil
}

// contentBody handles a body frame. A body in one frame is used in place.
func (c *conn) contentBody(ch *channel, f wire.Frame) error {
	a := &ch.content
	switch {
	case f.Type != wire.FrameBody:
		return refuse(wire.UnexpectedFrame,
			"expected content body, got non content body frame instead")
	case len(a.body)+len(f.Payload) > a.size:
		return refuse(wire.FrameError, "content body frame exceeds remaining content size")
	case len(f.Payload) == a.size:
		a.stage = wantMethod
		return c.message(ch, a.header, f.Payload)
	case c.pending+len(f.Payload) > c.srv.cfg.MaxPending:
		return refuse(wire.ResourceError,
			"incomplete messages on this connection exceed %d octets", c.srv.cfg.MaxPending)
	}
	if len(a.body)+len(f.Payload) > cap(a.body) {
		more := max(growBody, growth*len(a.body), len(f.Payload))
		a.body = c.srv.pool.Grow(a.body, min(more, a.size-len(a.body)))
	}
	a.body = append(a.body, f.Payload...)
	c.pending += len(f.Payload)
	if len(a.body) < a.size {
		return nil
	}
	body := a.body
	c.pending -= len(body)
	a.stage, a.body = wantMethod, nil
	defer c.srv.pool.Put(body)
	return c.message(ch, a.header, body)
}
