package amqp091

import (
	"context"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
)

// greet reads the protocol header and sends connection.start. It reports
// whether the client speaks the protocol.
func (c *conn) greet() bool {
	deadline := time.Now().Add(c.srv.cfg.HandshakeTimeout)
	c.net.SetReadDeadline(deadline)
	c.deadline = deadline
	for {
		if c.stopping.Load() {
			return false
		}
		switch c.in.header() {
		case wire.ProtocolPartial:
			if _, err := c.in.Fill(); err != nil {
				return false
			}
			continue
		case wire.Protocol091:
			c.received.add(wire.HeaderSize)
			c.out.send(0, &wire.ConnectionStart{
				VersionMajor: 0, VersionMinor: 9, Mechanisms: c.offered(), Locales: "en_US",
				ServerProperties: c.introduction(),
			})
			return true
		}
		// The answer to any other protocol is the one spoken here.
		buffer.Write(c.net, []byte(wire.ProtocolHeader), c.srv.cfg.WriteTimeout)
		if half, ok := c.net.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			c.linger()
		}
		return false
	}
}

// control handles a frame of channel 0 before connection.close was sent.
func (c *conn) control(f wire.Frame) error {
	switch f.Type {
	case wire.FrameHeartbeat:
		return nil
	case wire.FrameMethod:
	default:
		c.closeConnection(unexpected(f), 0)
		return nil
	}
	m, err := wire.ParseMethod(f.Payload)
	if err != nil {
		c.refused(nil, 0, err)
		return nil
	}
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		if c.phase == starting {
			return c.login(m)
		}
		err = c.misplaced()
	case *wire.ConnectionTuneOk:
		err = c.during(tuning, func() error { return c.tune(m) })
	case *wire.ConnectionOpen:
		err = c.during(opening, func() error { return c.enter(m) })
	case *wire.ConnectionUpdateSecret:
		err = c.during(running, func() error { return c.updateSecret(m) })
	case *wire.ConnectionClose:
		c.goodbye()
		return errGoodbye
	default:
		err = c.misplaced()
	}
	if err != nil {
		c.refused(nil, m.ID(), err)
	}
	return nil
}

// during calls fn when the connection is in that phase.
func (c *conn) during(p phase, fn func() error) error {
	if c.phase != p {
		return c.misplaced()
	}
	return fn()
}

// misplaced is the answer to a method that does not fit the phase.
func (c *conn) misplaced() *refusal {
	return refuse(wire.ChannelError, "unexpected method in connection state %s", c.phase)
}

// goodbye gives everything back before it says that it did.
func (c *conn) goodbye() {
	if err := c.flush(); err != nil {
		c.log.Error("publish before close", "client", c.client, "error", err)
	}
	c.leave()
	c.out.send(0, &wire.ConnectionCloseOk{})
}

// tune takes the client's choice within what was offered.
func (c *conn) tune(m *wire.ConnectionTuneOk) error {
	cfg := &c.srv.cfg
	err := negotiated("frame_max", int(m.FrameMax), wire.FrameMinSize, int(cfg.FrameMax))
	if err == nil {
		err = negotiated("channel_max", int(m.ChannelMax), 1, int(cfg.ChannelMax))
	}
	if err != nil {
		return err
	}
	c.frameMax, c.channelMax = m.FrameMax, m.ChannelMax
	c.heartbeat = time.Duration(m.Heartbeat) * time.Second
	close(c.tuned)
	c.phase = opening
	return nil
}

// negotiated refuses a value out of bounds; 0 stands for no limit.
func negotiated(name string, value, least, most int) error {
	detail := ""
	if value == 0 {
		detail = " (no limit)"
	}
	switch {
	case value != 0 && value < least:
		return refuse(wire.NotAllowed,
			"negotiated %s = %d%s is lower than the minimum allowed value (%d)",
			name, value, detail, least)
	case value == 0 || value > most:
		return refuse(wire.NotAllowed,
			"negotiated %s = %d%s is higher than the maximum allowed value (%d)",
			name, value, detail, most)
	}
	return nil
}

// enter opens the virtual host.
func (c *conn) enter(m *wire.ConnectionOpen) error {
	c.client.VHost = m.VirtualHost
	ctx, cancel := context.WithDeadline(c.ctx, c.deadline)
	defer cancel()
	n, err := c.open(ctx, m.VirtualHost)
	if err != nil {
		c.srv.cfg.Events.refused(c.client, err)
	}
	switch {
	case err == nil:
	case fault.KindOf(err) == fault.NotFound:
		return refuse(wire.NotAllowed, "vhost %s not found", m.VirtualHost)
	case fault.KindOf(err) == fault.Denied:
		return refuse(wire.NotAllowed, "access to vhost '%s' refused for user '%s'",
			m.VirtualHost, c.client.User)
	default:
		return err
	}
	c.namespace = n
	c.session = n.NewSession(broker.SessionConfig{Wake: c.out.Notify, Actor: c.actor()})
	c.phase = running
	c.introduce()
	c.deadline = time.Time{}
	c.net.SetReadDeadline(c.deadline)
	c.srv.cfg.Events.opened(c.client)
	c.out.Lock()
	c.live = c.session
	c.out.Unlock()
	c.out.send(0, &wire.ConnectionOpenOk{})
	changed := func() {
		c.lockChanged.Store(true)
		c.out.Notify()
	}
	unlock, unroom := c.engine.Watch(n, changed), c.watchRoom(changed)
	c.unwatch = func() { unlock(); unroom() }
	changed()
	return nil
}

// actor tells for the record who the connection is.
func (c *conn) actor() *broker.Actor {
	return &broker.Actor{
		Broker: c.srv.cfg.Cluster, VHost: c.client.VHost, User: c.client.User,
		Source: c.client.Remote, Protocol: "AMQP 0-9-1",
	}
}
