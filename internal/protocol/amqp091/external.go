package amqp091

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	"coffer/internal/protocol/amqp091/wire"
)

// ServeAs is [Server.Serve] for a connection from within the process, such as one end
// of a [net.Pipe], whose user the caller has authenticated. The only mechanism is
// EXTERNAL, and it asks for nothing; all other rules are the same. The management API
// and shovels declare and publish through it, so that they keep every rule of clients.
func (s *Server) ServeAs(ctx context.Context, conn net.Conn, user string) {
	c := newConn(s, conn)
	c.known = user
	c.serve(ctx)
}

// insider is the user of connections that are the broker's own, as RabbitMQ shows it.
const insider = "none"

// ServeInside is [Server.ServeAs] for a connection that is the broker's own and of no
// user, such as one of a federation link: engine decides what it may.
func (s *Server) ServeInside(ctx context.Context, conn net.Conn, engine Engine) {
	s.ServeFor(ctx, conn, insider, engine)
}

// ServeFor is [Server.ServeAs] with another engine than the server's to decide what the
// user may.
func (s *Server) ServeFor(ctx context.Context, conn net.Conn, user string, engine Engine) {
	c := newConn(s, conn)
	c.known, c.engine = user, engine
	c.serve(ctx)
}

// Certifier is an [Engine] that knows users by certificates too. With one, and a
// listener that asks clients for certificates and verifies them, the mechanism
// EXTERNAL is offered to those that show one.
type Certifier interface {
	// Identify gives the user of a verified certificate. Errors: those of
	// Engine.Authenticate.
	Identify(ctx context.Context, certificate *x509.Certificate) (user string, err error)
}

// Impersonator is an [Engine] in which some users may publish messages in the names
// of others: those with RabbitMQ's tag impersonator.
type Impersonator interface {
	// Impersonates reports whether the user may. It answers from memory.
	Impersonates(user string) bool
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
	k, ok := c.engine.(Certifier)
	if !ok || c.certificate() == nil {
		return nil
	}
	return k
}

// offered are the mechanisms for this client.
func (c *conn) offered() string {
	if c.known != "" {
		return mechanismExternal
	}
	if c.certifier() == nil {
		return mechanisms
	}
	return mechanisms + " " + mechanismExternal
}

// impersonates reports whether the client may publish in the names of others.
func (c *conn) impersonates() bool {
	k, ok := c.engine.(Impersonator)
	return ok && k.Impersonates(c.client.User)
}

// vouched takes the user that ServeAs names.
func (c *conn) vouched(mechanism string) error {
	if mechanism != mechanismExternal {
		return refuse(wire.CommandInvalid, "unknown authentication mechanism '%s'", mechanism)
	}
	c.client.User = c.known
	return nil
}
