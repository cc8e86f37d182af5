package amqpclient

import (
	"context"
	"errors"
	"fmt"

	"coffer/internal/protocol/amqp091/wire"
)

// Event is one method of the broker, with its content if it has one. All of it
// is valid until the next call of Next.
type Event struct {
	Channel uint16
	Method  wire.Method
	Header  []byte // property flags and list
	Body    []byte
}

var errInterleaved = errors.New("frame of another kind within a content")

// Next waits for the next event. A close by the broker is a *ClosedError.
func (c *Conn) Next() (Event, error) {
	c.r += c.used
	c.used = 0
	for {
		e, need, err := c.parse()
		if err != nil {
			return Event{}, err
		}
		if need == 0 {
			if err := closed(e); err != nil {
				return Event{}, err
			}
			return e, nil
		}
		if err := c.fill(need); err != nil {
			if c.ctx.Err() != nil {
				err = context.Cause(c.ctx)
			}
			return Event{}, fmt.Errorf("read: %w", err)
		}
	}
}

// Buffered reports whether octets of a next event are here already, so that it
// is too early to flush for the sake of the broker.
func (c *Conn) Buffered() bool { return c.w > c.r+c.used }

func closed(e Event) error {
	switch m := e.Method.(type) {
	case *wire.ConnectionClose:
		return &ClosedError{0, m.ReplyCode, m.ReplyText}
	case *wire.ChannelClose:
		return &ClosedError{e.Channel, m.ReplyCode, m.ReplyText}
	}
	return nil
}

// parse reads the event at r, all of whose frames must be in the buffer, so
// that it can alias it. need is how many octets from r on are known to be
// wanted when they are not there.
func (c *Conn) parse() (e Event, need int, err error) {
	at := c.r
	for {
		f, size, err := wire.ParseFrame(c.in[at:c.w], c.frameMax)
		if err != nil {
			return e, 0, err
		}
		if size > c.w-at {
			return e, at - c.r + size, nil
		}
		at += size
		if f.Type == wire.FrameHeartbeat {
			c.r = at
			continue
		}
		if f.Type != wire.FrameMethod {
			return e, 0, errInterleaved
		}
		e.Channel = f.Channel
		if e.Method, err = c.dec.Method(f.Payload); err != nil {
			return e, 0, err
		}
		break
	}
	switch e.Method.(type) {
	case *wire.BasicDeliver, *wire.BasicGetOk, *wire.BasicReturn:
		at, need, err = c.content(&e, at)
	}
	if c.used = 0; need == 0 {
		c.used = at - c.r
	}
	return e, need, err
}

// content reads header and body frames from at on.
func (c *Conn) content(e *Event, at int) (end, need int, err error) {
	var left uint64
	for first := true; first || left > 0; first = false {
		f, size, err := wire.ParseFrame(c.in[at:c.w], c.frameMax)
		if err != nil {
			return at, 0, err
		}
		if size > c.w-at {
			return at, at - c.r + size, nil
		}
		at += size
		if first {
			h, err := wire.ParseContentHeader(f.Payload)
			if err != nil || f.Type != wire.FrameHeader {
				return at, 0, errors.Join(errInterleaved, err)
			}
			e.Header, left = h.Raw, h.BodySize
			continue
		}
		n := uint64(len(f.Payload))
		if f.Type != wire.FrameBody || n > left {
			return at, 0, errInterleaved
		}
		switch {
		case n == left && e.Body == nil:
			e.Body = f.Payload
		case e.Body == nil:
			c.body = append(c.body[:0], f.Payload...)
			e.Body = c.body
		default:
			c.body = append(c.body, f.Payload...)
			e.Body = c.body
		}
		left -= n
	}
	return at, 0, nil
}

// fill reads until need octets from r on are in the buffer.
func (c *Conn) fill(need int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.r+need > len(c.in) {
		to := c.in
		if need > len(to) {
			to = make([]byte, 2*need)
		}
		c.w = copy(to, c.in[c.r:c.w])
		c.in, c.r = to, 0
	}
	for c.w-c.r < need {
		n, err := c.net.Read(c.in[c.w:])
		c.w += n
		if n == 0 && err != nil {
			return err
		}
	}
	return nil
}
