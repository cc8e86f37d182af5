package amqp10

import (
	"context"
	"strings"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// greet answers a protocol header. Without a login nobody enters, so that of SASL
// must come first; the answer to another one is what is spoken here.
func (c *conn) greet(p wire.Protocol) error {
	switch {
	case c.phase == greeting && p == wire.ProtocolSASL:
		c.phase = proving
		c.out.raw(wire.HeaderSASL)
		c.out.Lock()
		c.out.append(wire.FrameSASL, 0, &wire.SASLMechanisms{
			SASLServerMechanisms: wire.AppendSymbols(nil, c.offered()...),
		})
		c.out.Notify()
		c.out.Unlock()
		return nil
	case c.phase == proved && p == wire.ProtocolAMQP:
		c.phase = opening
		c.limit = c.srv.cfg.FrameMax
		c.out.raw(wire.HeaderAMQP)
		return nil
	case c.phase == greeting:
		c.out.raw(wire.HeaderSASL)
	default:
		c.out.raw(wire.HeaderAMQP)
	}
	return errGoodbye
}

// vhostPrefix begins a hostname that means a virtual host; others mean "/".
const vhostPrefix = "vhost:"

// enter answers open and goes into the virtual host.
func (c *conn) enter(fields wire.Raw) error {
	var m wire.Open
	if err := m.Parse(fields); err != nil {
		c.out.send(0, c.opened())
		return err
	}
	if m.MaxFrameSize < wire.MinFrameSize {
		c.out.send(0, c.opened())
		return refuse(ConnectionScope, wire.AmqpErrorFrameSizeTooSmall,
			"max-frame-size %d is below the least, %d", m.MaxFrameSize, wire.MinFrameSize)
	}
	c.client.Name, c.client.VHost = string(m.ContainerID), "/"
	if name, ok := strings.CutPrefix(string(m.Hostname), vhostPrefix); ok {
		c.client.VHost = name
	}
	ctx, cancel := context.WithDeadline(c.ctx, c.deadline)
	defer cancel()
	n, err := c.admit(ctx)
	if err != nil {
		c.srv.cfg.Events.refused(c.client, err)
		c.out.send(0, c.opened()) // an open comes before a close
		r := asRefusal(err)
		switch fault.KindOf(err) {
		case fault.NotFound:
			r = refuse(ConnectionScope, wire.AmqpErrorNotFound,
				"AMQP 1.0 connection refused: virtual host '%s' not found", c.client.VHost)
		case fault.Denied:
			r = refuse(ConnectionScope, wire.AmqpErrorUnauthorizedAccess,
				"access to vhost '%s' refused for user '%s'", c.client.VHost, c.client.User)
		}
		r.scope = ConnectionScope
		return r
	}
	c.frameMax = min(m.MaxFrameSize, c.srv.cfg.FrameMax)
	c.silence = time.Duration(m.IdleTimeOut.Value) * time.Millisecond
	close(c.tuned)
	c.run(n)
	return nil
}

// run begins the life in the virtual host.
func (c *conn) run(n *broker.Namespace) {
	c.namespace = n
	c.session = n.NewSession(broker.SessionConfig{Wake: c.out.Notify, Actor: c.actor()})
	c.phase = running
	c.introduce()
	c.deadline = time.Time{}
	c.net.SetReadDeadline(c.deadline)
	c.srv.cfg.Events.opened(c.client)
	c.out.Lock()
	c.events = c.session
	c.full = c.room() != nil
	c.out.Unlock()
	c.out.send(0, c.opened())
	changed := func() {
		c.changed.Store(true)
		c.out.Notify()
	}
	unlock := c.srv.cfg.Engine.Watch(n, changed)
	unroom := c.watchRoom(func() {
		changed()
		c.wakeReader()
	})
	c.unwatch = func() { unlock(); unroom() }
	changed()
}

// opened is the answer to open.
func (c *conn) opened() *wire.Open {
	cfg := &c.srv.cfg
	properties, at := wire.OpenMap(nil)
	pairs := [...][2]string{
		{"cluster_name", cfg.Cluster}, {"copyright", "Licensed under the Apache License 2.0"},
		{"information", "Compatible with RabbitMQ 4"}, {"platform", "Go"},
		{"product", cfg.Product}, {"version", cfg.Version}, {"node", cfg.Cluster},
	}
	for _, p := range pairs {
		properties = wire.AppendSymbol(properties, p[0])
		properties = wire.AppendString(properties, p[1])
	}
	return &wire.Open{
		ContainerID: []byte(cfg.Cluster), MaxFrameSize: cfg.FrameMax, ChannelMax: cfg.ChannelMax,
		IdleTimeOut:         wire.Some(uint32(cfg.IdleTimeout.Milliseconds() / 2)),
		OfferedCapabilities: wire.AppendSymbols(nil, "LINK_PAIR_V1_0", "ANONYMOUS-RELAY"),
		Properties:          wire.CloseMap(properties, at, len(pairs)),
	}
}

// predeclare makes the exchanges that every virtual host has.
func predeclare(ctx context.Context, n *broker.Namespace) error {
	for _, x := range [...]broker.Address{
		{Name: "amq.direct", Kind: broker.Direct, Durable: true},
		{Name: "amq.fanout", Kind: broker.Fanout, Durable: true},
		{Name: "amq.topic", Kind: broker.Pattern, Durable: true},
		{Name: "amq.headers", Kind: broker.Matched, Durable: true},
		{Name: "amq.match", Kind: broker.Matched, Durable: true},
	} {
		if _, ok := n.Topology().Address(x.Name); ok {
			continue
		}
		if _, _, err := n.DeclareAddress(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// actor tells for the record who the connection is.
func (c *conn) actor() *broker.Actor {
	return &broker.Actor{
		Broker: c.srv.cfg.Cluster, VHost: c.client.VHost, User: c.client.User,
		Source: c.client.Remote, Protocol: "AMQP 1.0",
	}
}
