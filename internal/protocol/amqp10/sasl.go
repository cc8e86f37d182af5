package amqp10

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// The mechanisms. The second one is only where the client has shown a certificate.
const (
	mechanismPlain    = "PLAIN"
	mechanismExternal = "EXTERNAL"
)

// Certifier is an [Engine] that knows users by certificates too. With one, and a
// listener that asks clients for certificates and verifies them, the mechanism
// EXTERNAL is offered to those that show one.
type Certifier interface {
	// Identify gives the user of a verified certificate. Errors: those of
	// Engine.Authenticate.
	Identify(ctx context.Context, certificate *x509.Certificate) (user string, err error)
}

// certificate is what the client has proved to be its own and TLS has verified; nil:
// nothing. The handshake of TLS is over when the protocol header was read.
func (c *conn) certificate() *x509.Certificate {
	t, ok := c.net.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	if len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

// certifier is who knows the client's certificate; nil when EXTERNAL is not offered.
func (c *conn) certifier() Certifier {
	k, ok := c.srv.cfg.Engine.(Certifier)
	if !ok || c.certificate() == nil {
		return nil
	}
	return k
}

// offered are the mechanisms for this client.
func (c *conn) offered() []string {
	if c.certifier() == nil {
		return []string{mechanismPlain}
	}
	return []string{mechanismPlain, mechanismExternal}
}

// errSASL: the client does not keep to the protocol of the login.
var errSASL = errors.New("amqp10: unexpected frame in place of sasl-init")

// prove handles the frame that is to be sasl-init. A refused login ends the
// connection after sasl-outcome.
func (c *conn) prove(f wire.Frame) error {
	p, err := wire.ParsePerformative(f.Body)
	if err != nil || f.Type != wire.FrameSASL || p.Code != wire.CodeSASLInit {
		return errors.Join(errSASL, err)
	}
	var m wire.SASLInit
	if err := m.Parse(p.Fields); err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(c.ctx, c.deadline)
	c.face.Mechanism = string(m.Mechanism)
	err = c.authenticate(ctx, &m)
	cancel()
	clear(f.Body)
	if err == nil {
		c.srv.roster.accepted.Add(1)
		c.phase = proved
		c.outcome(wire.SASLCodeOk)
		return nil
	}
	c.srv.cfg.Events.refused(c.client, err)
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Invalid:
		c.srv.roster.refused.Add(1)
	default: // it says nothing about the password
		c.outcome(wire.SASLCodeSysTemp)
		return errGoodbye
	}
	select {
	case <-time.After(c.srv.cfg.RefusalDelay):
	case <-c.ctx.Done():
	}
	c.outcome(wire.SASLCodeAuth)
	return errGoodbye
}

func (c *conn) outcome(code uint8) {
	c.out.Lock()
	defer c.out.Unlock()
	c.out.append(wire.FrameSASL, 0, &wire.SASLOutcome{Code: code})
	c.out.Notify()
}

// authenticate finds out who the client is.
func (c *conn) authenticate(ctx context.Context, m *wire.SASLInit) error {
	mechanism := string(m.Mechanism)
	if k := c.certifier(); k != nil && mechanism == mechanismExternal {
		user, err := k.Identify(ctx, c.certificate())
		c.client.User = user
		return err
	}
	if mechanism != mechanismPlain {
		return fault.New(fault.Unauthenticated, "mechanism '%s' is not offered", mechanism)
	}
	// RFC 4616: authorisation id, user and password between zero octets. Like
	// RabbitMQ this takes no notice of the first.
	_, rest, ok := bytes.Cut(m.InitialResponse, []byte{0})
	user, password, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 || bytes.IndexByte(password, 0) >= 0 {
		return fault.New(fault.Unauthenticated, "response of PLAIN is malformed")
	}
	c.client.User = string(user)
	return c.srv.cfg.Engine.Authenticate(ctx, c.client.User, password)
}
