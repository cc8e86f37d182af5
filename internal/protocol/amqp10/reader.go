package amqp10

import (
	"errors"
	"os"
	"time"

	"coffer/internal/protocol/amqp10/wire"
)

// read handles what comes until the connection is over, or as good as over: then it
// says why.
func (c *conn) read() error {
	for c.phase < over {
		more, err := c.step()
		switch {
		case err != nil:
			return err
		case more:
			continue
		}
		if err := c.flush(); err != nil && c.phase < closing {
			c.closeConnection(asRefusal(err))
		}
		if err := c.fill(); err != nil && !c.interrupted(err) {
			return err
		}
	}
	return nil
}

// step handles the next header or frame, if it is there. An error ends the connection
// without a word.
func (c *conn) step() (more bool, err error) {
	if c.phase == greeting || c.phase == proved {
		p := c.in.header()
		if p == wire.ProtocolPartial {
			return false, nil
		}
		return true, c.greet(p)
	}
	f, ok, err := c.in.next(c.limit)
	if err != nil {
		if c.phase >= opening && c.phase < closing {
			c.closeConnection(asRefusal(err))
		}
		return false, err // the framing is lost
	}
	if !ok {
		return false, nil
	}
	return true, c.frame(f)
}

// fill reads more, with the deadline of the phase.
func (c *conn) fill() error {
	c.round++
	if c.phase == running {
		// The deadline is moved rarely, since that costs as much as a small read.
		idle := c.srv.cfg.IdleTimeout
		if now := time.Now(); c.deadline.Sub(now) < idle {
			c.deadline = now.Add(idle + idle/8)
			c.net.SetReadDeadline(c.deadline)
		}
	}
	if c.phase < closing && (c.stopping.Load() || c.trouble.Load() != nil) {
		return os.ErrDeadlineExceeded
	}
	n, err := c.in.Fill()
	c.inflow.add(n)
	return err
}

// interrupted reports whether a failed read is to be answered by closing the
// connection in order, and does so.
func (c *conn) interrupted(err error) bool {
	if c.phase != running {
		return false
	}
	if r := c.trouble.Load(); r != nil {
		c.closeConnection(r)
		return true
	}
	if c.stopping.Load() {
		c.closeConnection(&refusal{
			scope: ConnectionScope, condition: wire.ConnectionErrorConnectionForced,
			err: errStopping, text: "broker forced connection closure with reason 'shutdown'",
		})
		return true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.closeConnection(&refusal{
			scope: ConnectionScope, condition: wire.AmqpErrorResourceLimitExceeded,
			err: errSilent, text: "no frame within the idle time-out",
		})
		return true
	}
	return false
}

// frame handles one frame. An error ends the connection without a word.
func (c *conn) frame(f wire.Frame) error {
	switch {
	case len(f.Body) == 0: // the client lives
		return nil
	case c.phase == proving:
		return c.prove(f)
	case f.Type != wire.FrameAMQP:
		err := refuse(ConnectionScope, wire.ConnectionErrorFramingError,
			"unexpected frame of type %d", f.Type)
		if c.phase < closing {
			c.closeConnection(err)
		}
		return nil
	}
	p, err := wire.ParsePerformative(f.Body)
	if c.phase >= closing {
		if err == nil && p.Code == wire.CodeClose {
			c.phase = over
		}
		return nil
	}
	if err == nil {
		err = c.performative(f.Channel, p)
	}
	switch {
	case err == nil:
	case errors.Is(err, errGoodbye):
		return err
	default:
		c.refused(f.Channel, err)
	}
	return nil
}

// performative handles the body of a frame.
func (c *conn) performative(channel uint16, p wire.Performative) error {
	switch {
	case c.phase == opening:
		if p.Code != wire.CodeOpen {
			c.out.send(0, c.opened())
			return refuse(ConnectionScope, wire.AmqpErrorIllegalState,
				"expected open, got %v", p.Code)
		}
		return c.enter(p.Fields)
	case p.Code == wire.CodeOpen:
		return refuse(ConnectionScope, wire.AmqpErrorIllegalState, "second open")
	case p.Code == wire.CodeClose:
		c.goodbye()
		return errGoodbye
	case p.Code == wire.CodeBegin:
		return c.begin(channel, p.Fields)
	}
	s := c.sessions[channel]
	switch {
	case p.Code < wire.CodeOpen || p.Code > wire.CodeClose:
		return refuse(ConnectionScope, wire.AmqpErrorNotAllowed, "unexpected %v", p.Code)
	case s == nil:
		return refuse(ConnectionScope, wire.ConnectionErrorFramingError,
			"%v on channel %d, which has no session", p.Code, channel)
	case s.ended:
		if p.Code == wire.CodeEnd {
			delete(c.sessions, channel)
		}
		return nil
	}
	return c.sessionFrame(s, p)
}

// refused ends the link, the session or the connection as the error asks for.
func (c *conn) refused(channel uint16, err error) {
	r := asRefusal(err)
	if r.condition == wire.AmqpErrorInternalError {
		c.log.Error("frame failed", "client", c.client, "error", err)
	}
	s := c.sessions[channel]
	if r.scope == ConnectionScope || s == nil || c.phase < running {
		c.closeConnection(r)
		return
	}
	c.endSession(s, r)
}

// closeConnection gives everything back and says why. Frames are read on, for
// close, until the timeout.
func (c *conn) closeConnection(r *refusal) {
	c.flush() // an error is not better than the one being told
	c.leave()
	c.srv.cfg.Events.failed(c.client, r)
	c.phase, c.reason = closing, r
	c.leaving.Store(true)
	c.net.SetReadDeadline(time.Now().Add(c.srv.cfg.CloseTimeout))
	c.out.send(0, &wire.Close{Error: r.encode()})
}

// goodbye gives everything back before it says that it did.
func (c *conn) goodbye() {
	if err := c.flush(); err != nil {
		c.log.Error("publish before close", "client", c.client, "error", err)
	}
	c.leave()
	c.out.send(0, &wire.Close{})
}

// fail lets the reader close the connection for what the writer found.
func (c *conn) fail(r *refusal) {
	c.trouble.CompareAndSwap(nil, r)
	c.wakeReader()
	c.net.SetReadDeadline(time.Now())
}
