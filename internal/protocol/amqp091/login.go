package amqp091

import (
	"context"
	"errors"
	"time"

	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// capabilities are what the client says it understands.
type capabilities struct {
	blocked     bool // connection.blocked
	cancel      bool // basic.cancel from the server
	authFailure bool // connection.close after a failed login
}

// login checks the password. An error ends the connection in silence, which is
// what clients without the capability authentication_failure_close expect.
func (c *conn) login(m *wire.ConnectionStartOk) error {
	c.describe(m.ClientProperties)
	c.face.Mechanism = m.Mechanism
	ctx, cancel := context.WithDeadline(c.ctx, c.deadline)
	err := c.authenticate(ctx, m)
	cancel()
	if r, ok := errors.AsType[*refusal](err); ok {
		c.refused(nil, m.ID(), r)
		return nil
	}
	if err == nil {
		c.srv.roster.accepted.Add(1)
		c.phase = tuning
		c.out.send(0, &wire.ConnectionTune{
			ChannelMax: c.srv.cfg.ChannelMax, FrameMax: c.srv.cfg.FrameMax,
			Heartbeat: uint16(c.srv.cfg.Heartbeat / time.Second),
		})
		return nil
	}
	c.srv.cfg.Events.refused(c.client, err)
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Denied, fault.NotFound:
		c.srv.roster.refused.Add(1)
	default: // it says nothing about the password
		r := asRefusal(err)
		r.soft = false
		c.refused(nil, m.ID(), r)
		return nil
	}
	select {
	case <-time.After(c.srv.cfg.RefusalDelay):
	case <-c.ctx.Done():
	}
	if !c.capabilities.authFailure {
		return err
	}
	c.closeConnection(&refusal{
		code: wire.AccessRefused, err: err,
		text: "Login was refused using authentication mechanism " + m.Mechanism +
			". For details see the broker logfile.",
	}, 0)
	return nil
}

// authenticate finds out who the client is. A refusal is about the form of what it
// said.
func (c *conn) authenticate(ctx context.Context, m *wire.ConnectionStartOk) error {
	defer clear(m.Response)
	if c.known != "" {
		return c.vouched(m.Mechanism)
	}
	if k := c.certifier(); k != nil && m.Mechanism == mechanismExternal {
		user, err := k.Identify(ctx, c.certificate())
		c.client.User = user
		return err
	}
	user, password, err := credentials(m.Mechanism, m.Response)
	if err != nil {
		return err
	}
	c.client.User = user
	return c.engine.Authenticate(ctx, user, password)
}

// describe notes what the client says of itself.
func (c *conn) describe(properties wire.Table) {
	c.properties = encoded(properties)
	if name, ok := properties.Get("connection_name"); ok {
		c.client.Name, _ = name.Text()
	}
	v, _ := properties.Get("capabilities")
	table, _ := v.Table()
	has := func(name string) bool {
		v, _ := table.Get(name)
		yes, _ := v.Bool()
		return yes
	}
	c.capabilities = capabilities{
		blocked:     has("connection.blocked"),
		cancel:      has("consumer_cancel_notify"),
		authFailure: has("authentication_failure_close"),
	}
}

// updateSecret checks the new password of the user, whose connection stays as
// it is.
func (c *conn) updateSecret(m *wire.ConnectionUpdateSecret) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.srv.cfg.HandshakeTimeout)
	defer cancel()
	defer clear(m.NewSecret)
	if err := c.engine.Authenticate(ctx, c.client.User, m.NewSecret); err != nil {
		c.srv.cfg.Events.refused(c.client, err)
		return &refusal{
			code: wire.NotAllowed, text: "New secret was refused by one of the backends",
			err: err,
		}
	}
	c.out.send(0, &wire.ConnectionUpdateSecretOk{})
	return nil
}
