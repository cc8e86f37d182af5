package amqp091

import (
	"errors"
	"os"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// read handles frames until the connection is over, or as good as over: then it
// says why.
func (c *conn) read() error {
	for c.phase < over {
		f, ok, err := c.in.next(c.frameMax)
		switch {
		case err != nil:
			if c.phase < closing {
				c.closeConnection(asRefusal(err), 0)
			}
			return err // the framing is lost
		case ok:
			if err := c.frame(f); err != nil {
				return err
			}
			continue
		}
		if err := c.flush(); err != nil && c.phase < closing {
			c.closeConnection(asRefusal(err), 0)
		}
		if err := c.fill(); err != nil && !c.interrupted() {
			return err
		}
	}
	return nil
}

// fill reads more, with the deadline of the phase.
func (c *conn) fill() error {
	c.round++
	if c.phase == running && c.heartbeat > 0 {
		// Two intervals without a frame mean that the client is gone. The
		// deadline is moved rarely, since that costs as much as a small read.
		if now := time.Now(); c.deadline.Sub(now) < 2*c.heartbeat {
			c.deadline = now.Add(2*c.heartbeat + c.heartbeat/4)
			c.net.SetReadDeadline(c.deadline)
		}
	}
	if c.phase < closing && (c.stopping.Load() || c.trouble.Load() != nil || c.isLate()) {
		return os.ErrDeadlineExceeded
	}
	n, err := c.in.Fill()
	c.now = time.Now().UnixNano()
	c.received.add(n)
	return err
}

// interrupted reports whether a failed read is to be answered by closing the
// connection in order, and does so.
func (c *conn) interrupted() bool {
	if c.phase != running {
		return false
	}
	if r := c.trouble.Load(); r != nil {
		c.closeConnection(r, 0)
		return true
	}
	if c.stopping.Load() {
		c.closeConnection(&refusal{
			code: wire.ConnectionForced, err: errStopping,
			text: "broker forced connection closure with reason 'shutdown'",
		}, 0)
		return true
	}
	return c.closeLate()
}

// frame handles one frame. An error ends the connection without a word.
func (c *conn) frame(f wire.Frame) error {
	switch {
	case c.phase >= closing:
		c.lastWords(f)
	case f.Channel == 0:
		return c.control(f)
	case c.phase != running || f.Type == wire.FrameHeartbeat:
		c.closeConnection(unexpected(f), 0)
	default:
		ch := c.channels[f.Channel]
		if ch != nil && ch.closing {
			c.channelClosing(ch, f)
			return nil
		}
		id, err := c.channelFrame(ch, f)
		if err != nil {
			c.refused(ch, id, err)
		}
	}
	return nil
}

// unexpected is RabbitMQ's answer to a frame in a wrong place.
func unexpected(f wire.Frame) *refusal {
	snippet := "all octets = <<...>>"
	switch n := len(f.Payload); {
	case n == 0:
		snippet = "all octets = <<>>"
	case n > 16:
		snippet = "first 16 octets = <<...>>"
	}
	return refuse(wire.UnexpectedFrame, "type %d, %s", f.Type, snippet)
}

// refused closes the channel or the connection as the error asks for.
func (c *conn) refused(ch *channel, id wire.MethodID, err error) {
	r := asRefusal(err)
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Method != 0 {
		id = e.Method
	}
	if r.code == wire.InternalError {
		c.log.Error("method failed", "client", c.client, "method", id.String(), "error", err)
	}
	if ch == nil || r.hard() {
		c.closeConnection(r, id)
		return
	}
	c.closeChannel(ch, r, id)
}

// closeConnection gives everything back and says why. Frames are read on, for
// close-ok, until the timeout.
func (c *conn) closeConnection(r *refusal, id wire.MethodID) {
	c.flush() // an error is not better than the one being told
	c.leave()
	text := r.Error()
	c.srv.cfg.Events.failed(c.client, 0, r.code, text)
	c.phase, c.reason = closing, r
	c.leaving.Store(true)
	c.net.SetReadDeadline(time.Now().Add(c.srv.cfg.CloseTimeout))
	c.out.send(0, &wire.ConnectionClose{
		ReplyCode: r.code, ReplyText: text, ClassID: id.Class(), MethodID: id.Method(),
	})
}

// lastWords handles frames after connection.close was sent: all but the end of
// the connection is ignored.
func (c *conn) lastWords(f wire.Frame) {
	if f.Channel != 0 || f.Type != wire.FrameMethod {
		return
	}
	switch wire.PeekMethod(f.Payload) {
	case wire.IDConnectionClose:
		c.out.send(0, &wire.ConnectionCloseOk{})
	case wire.IDConnectionCloseOk:
		c.phase = over
	}
}

// fail lets the reader close the connection for what the writer found.
func (c *conn) fail(r *refusal) {
	c.trouble.CompareAndSwap(nil, r)
	c.wakeReader()
	c.net.SetReadDeadline(time.Now())
}
