package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp10"
	"coffer/internal/rabbitmq"
)

// amqpDoors are the two protocols of one port. The protocol header says which one a
// client speaks.
type amqpDoors struct {
	old *amqp091.Server
	new *amqp10.Server
}

// headerSize is that of a protocol header in both protocols, in octets, and
// headerTimeout the time that a client has for it.
const (
	headerSize    = 8
	headerTimeout = 10 * time.Second
)

// serve reads the protocol header and hands the connection to its protocol. What is
// neither is 0-9-1's to refuse, as in RabbitMQ.
func (d *amqpDoors) serve(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	p := &peekedConn{Conn: conn, head: make([]byte, headerSize)}
	conn.SetReadDeadline(time.Now().Add(headerTimeout))
	n, err := io.ReadFull(conn, p.head)
	p.head = p.head[:n]
	if !stop() || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	if speaks10(p.head) {
		d.new.Serve(ctx, p)
		return
	}
	d.old.Serve(ctx, p)
}

// speaks10 reports whether a header is one of AMQP 1.0, with or without a login.
func speaks10(head []byte) bool {
	return bytes.Equal(head, []byte("AMQP\x03\x01\x00\x00")) ||
		bytes.Equal(head, []byte("AMQP\x00\x01\x00\x00"))
}

// peekedConn is a connection of which some octets were read already.
type peekedConn struct {
	net.Conn
	head []byte // not read again yet
}

// Read gives those octets first.
func (p *peekedConn) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// ConnectionState is [tls.Conn]'s; without TLS nothing is known.
func (p *peekedConn) ConnectionState() tls.ConnectionState {
	if t, ok := p.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

// CloseWrite ends one direction, as far as the connection can.
func (p *peekedConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// amqp10Engine fits a RabbitMQ broker to what AMQP 1.0 asks of an engine.
type amqp10Engine struct{ *rabbitmq.Broker }

var (
	_ amqp10.Engine       = amqp10Engine{}
	_ amqp10.Doorkeeper   = amqp10Engine{}
	_ amqp10.TopicKeeper  = amqp10Engine{}
	_ amqp10.Certifier    = amqp10Engine{}
	_ amqp10.Impersonator = amqp10Engine{}
)

// Watch is [amqp10.Engine]'s: a broker's virtual hosts lock and open as one.
func (e amqp10Engine) Watch(_ *broker.Namespace, fn func()) (stop func()) {
	return e.Broker.Watch(fn)
}

// topology10 lets clients of AMQP 1.0 change what is there by the rules of 0-9-1.
func topology10(
	server *amqp091.Server,
) func(context.Context, amqp10.Client, *broker.Session) amqp10.Topology {
	return func(ctx context.Context, c amqp10.Client, s *broker.Session) amqp10.Topology {
		return server.Agent(ctx, amqp091.Client{
			Remote: c.Remote, User: c.User, VHost: c.VHost, Name: c.Name,
		}, s)
	}
}

// events10 gives what is told of clients of AMQP 1.0: the same, with conditions in
// place of reply codes.
func events10(told amqp091.Events, log *slog.Logger) amqp10.Events {
	as := func(c amqp10.Client) amqp091.Client {
		return amqp091.Client{Remote: c.Remote, User: c.User, VHost: c.VHost, Name: c.Name}
	}
	return amqp10.Events{
		Refused: func(c amqp10.Client, err error) { told.Refused(as(c), err) },
		Opened:  func(c amqp10.Client) { told.Opened(as(c)) },
		Closed:  func(c amqp10.Client, err error) { told.Closed(as(c), err) },
		Blocked: func(c amqp10.Client, reason error) { told.Blocked(as(c), reason) },
		Failed: func(c amqp10.Client, scope amqp10.Scope, condition, text string) {
			log.Info("request refused", "client", c, "scope", scope.String(),
				"condition", condition)
			// The text may quote names that the client gave its queues.
			log.Debug("request refused", "client", c, "scope", scope.String(), "text", text)
		},
	}
}
