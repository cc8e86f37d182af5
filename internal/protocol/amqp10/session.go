package amqp10

import (
	"errors"
	"math"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// incomingWindow is how many frames a client may send on a session before it hears
// of more.
const incomingWindow = 1024

// session is one session. Its fields belong to the reader but for those named.
type session struct {
	channel   uint16
	ended     bool // end was sent; nothing but its answer is heard
	handleMax uint32

	// guarded by conn.out:
	links        map[uint32]*link // by handle; only the reader changes it
	nextIncoming uint32           // id of the next frame that comes
	window       uint32           // frames that may come
	nextOutgoing uint32           // id of the next frame that goes
	remoteWindow uint32           // frames that may go
	nextDelivery uint32
	unsettled    unsettled
}

// begin answers the beginning of a session.
func (c *conn) begin(channel uint16, fields wire.Raw) error {
	var m wire.Begin
	if err := m.Parse(fields); err != nil {
		return err
	}
	switch {
	case c.sessions[channel] != nil:
		return refuse(ConnectionScope, wire.ConnectionErrorFramingError,
			"channel %d has a session already", channel)
	case channel > c.srv.cfg.ChannelMax:
		return refuse(ConnectionScope, wire.ConnectionErrorFramingError,
			"channel number (%d) exceeds maximum channel number (%d)",
			channel, c.srv.cfg.ChannelMax)
	case m.RemoteChannel.Set:
		return refuse(ConnectionScope, wire.AmqpErrorNotAllowed,
			"begin answers a session that was not begun here")
	}
	s := &session{
		channel: channel, handleMax: min(m.HandleMax, c.srv.cfg.HandleMax),
		links:        map[uint32]*link{},
		nextIncoming: m.NextOutgoingID, window: incomingWindow,
		remoteWindow: min(m.IncomingWindow, math.MaxInt32),
	}
	c.sessions[channel] = s
	c.out.Lock()
	c.live[channel] = s
	c.srv.roster.begun.Add(1)
	c.out.append(wire.FrameAMQP, channel, &wire.Begin{
		RemoteChannel: wire.Some(channel), NextOutgoingID: s.nextOutgoing,
		IncomingWindow: s.window, OutgoingWindow: math.MaxInt32, HandleMax: s.handleMax,
	})
	c.out.Notify()
	c.out.Unlock()
	return nil
}

// sessionFrame handles a frame of a session.
func (c *conn) sessionFrame(s *session, p wire.Performative) error {
	switch p.Code {
	case wire.CodeTransfer:
		return c.transferred(s, p)
	case wire.CodeDisposition:
		return c.disposed(s, p.Fields)
	}
	// What follows sees what was gathered before.
	if err := c.flush(); err != nil {
		return err
	}
	switch p.Code {
	case wire.CodeFlow:
		return c.flowed(s, p.Fields)
	case wire.CodeAttach:
		return c.attach(s, p.Fields)
	case wire.CodeDetach:
		return c.detach(s, p.Fields)
	}
	var m wire.End
	if err := m.Parse(p.Fields); err != nil {
		return err
	}
	err := c.releaseSession(s)
	delete(c.sessions, s.channel)
	c.out.send(s.channel, &wire.End{})
	return err
}

// endSession ends a session for an error of its client, which is told why.
func (c *conn) endSession(s *session, r *refusal) {
	if err := c.releaseSession(s); err != nil {
		c.closeConnection(asRefusal(err))
		return
	}
	s.ended = true
	c.srv.cfg.Events.failed(c.client, r)
	c.out.send(s.channel, &wire.End{Error: r.encode()})
}

// releaseSession ends the links of a session and puts back what it has not settled.
func (c *conn) releaseSession(s *session) error {
	failed := c.flush()
	var waiting, rest []*link
	for _, l := range s.links {
		if l.consumer != nil && !l.consumer.Active() {
			waiting = append(waiting, l)
		} else {
			rest = append(rest, l)
		}
	}
	for _, l := range append(waiting, rest...) { // none is to follow one that leaves
		failed = errors.Join(failed, c.release(l))
	}
	c.out.Lock()
	c.out.Settled()
	if c.live[s.channel] == s {
		delete(c.live, s.channel)
		c.srv.roster.ended.Add(1)
	}
	c.settles = s.unsettled.takeAll(c.settles, broker.Release)
	c.out.Unlock()
	return errors.Join(failed, c.flush())
}

// flowFrame tells the state of the session, to which a link adds its own. The caller
// holds the lock.
func (s *session) flowFrame() wire.Flow {
	return wire.Flow{
		NextIncomingID: wire.Some(s.nextIncoming), IncomingWindow: s.window,
		NextOutgoingID: s.nextOutgoing, OutgoingWindow: math.MaxInt32,
	}
}

// received counts a transfer frame.
func (c *conn) received(s *session) error {
	c.out.Lock()
	defer c.out.Unlock()
	if s.window == 0 {
		return refuse(SessionScope, wire.SessionErrorWindowViolation,
			"more transfer frames than the incoming window allows")
	}
	s.nextIncoming++
	if s.window--; s.window <= incomingWindow/2 {
		s.window = incomingWindow
		f := s.flowFrame()
		c.out.append(wire.FrameAMQP, s.channel, &f)
		c.out.Notify()
	}
	return nil
}
