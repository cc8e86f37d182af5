// Package amqpclient is a lean AMQP 0-9-1 client of any broker, for what loads one
// without being the limit itself, and for tests that need to see every frame's
// meaning. It is built on the broker's own codec.
//
// It guarantees that events come in the order of the wire, and that nothing
// is done behind the caller's back: no goroutine, no reconnecting, no
// heartbeat, no automatic answer. It does not check that its user speaks the
// protocol correctly.
package amqpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// Sizes of buffers in octets.
const (
	readBuffer  = 256 << 10
	writeBuffer = 64 << 10 // above it an Append flushes by itself
)

// loginTimeout bounds the time until a broker has let a client in.
const loginTimeout = 30 * time.Second

// Config says where to connect.
type Config struct {
	URL string // amqps://user:password@host:port/vhost, or amqp:// without TLS
	CA  string // file with the certificate authority's certificate; empty: the system's
	// ReadBuffer is the first size of the read buffer in octets; 256 KiB. Who opens
	// thousands of connections wants less.
	ReadBuffer int
}

// Conn is one connection. One goroutine may use Append, Publish, Ack, Nack and
// Flush while another one uses Next and Buffered; Call and Open use both sides.
type Conn struct {
	// Server is what the broker told of itself: product, version and so on.
	Server wire.Table

	net      net.Conn
	stop     func() bool
	ctx      context.Context
	frameMax uint32

	in   []byte // in[r:w] is unused but for the event at r, of size used
	r, w int
	used int
	dec  wire.Decoder
	body []byte // of a content in several frames

	out    []byte
	header []byte
}

// Dial connects and logs in. When ctx ends, so does all waiting on the
// connection, with the cause of ctx. No error holds the URL's password.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, u, cfg.CA)
	if err != nil {
		return nil, err
	}
	c := &Conn{net: conn, ctx: ctx, frameMax: wire.DefaultFrameMax}
	c.in = make([]byte, cmp.Or(cfg.ReadBuffer, readBuffer))
	c.stop = context.AfterFunc(ctx, func() { conn.Close() })
	err = conn.SetDeadline(time.Now().Add(loginTimeout))
	if err == nil {
		err = c.login(u)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("log in to %s: %w", u.Host, err)
	}
	return c, nil
}

// parseURL reads a URL and completes its port. Errors of net/url would quote it.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the AMQP URL is malformed")
	}
	port := map[string]string{"amqps": "5671", "amqp": "5672"}[u.Scheme]
	if port == "" || u.Hostname() == "" {
		return nil, errors.New("the AMQP URL is neither amqps://HOST nor amqp://HOST")
	}
	if u.User == nil {
		return nil, errors.New("the AMQP URL names no user")
	}
	u.Host = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	return u, nil
}

// dial opens the socket, and TLS on it if the URL says so.
func dial(ctx context.Context, u *url.URL, ca string) (net.Conn, error) {
	d := net.Dialer{Timeout: loginTimeout}
	if u.Scheme == "amqp" {
		return d.DialContext(ctx, "tcp", u.Host)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	secure := tls.Dialer{NetDialer: &d, Config: cfg}
	return secure.DialContext(ctx, "tcp", u.Host)
}

// login does the handshake.
func (c *Conn) login(u *url.URL) error {
	password, _ := u.User.Password()
	vhost := strings.TrimPrefix(u.Path, "/")
	if vhost == "" {
		vhost = "/"
	}
	c.out = append(c.out, wire.ProtocolHeader...)
	if err := c.Flush(); err != nil {
		return err
	}
	start, err := await[*wire.ConnectionStart](c, 0)
	if err != nil {
		return err
	}
	c.Server = start.ServerProperties
	yes := wire.BoolValue(true)
	tune, err := call[*wire.ConnectionTune](c, 0, &wire.ConnectionStartOk{
		Mechanism: "PLAIN", Locale: "en_US",
		Response: wire.Secret("\x00" + u.User.Username() + "\x00" + password),
		ClientProperties: wire.Table{{Name: "capabilities", Value: wire.TableValue(wire.Table{
			{Name: "connection.blocked", Value: yes}, {Name: "consumer_cancel_notify", Value: yes},
			{Name: "basic.nack", Value: yes}, {Name: "publisher_confirms", Value: yes},
			{Name: "authentication_failure_close", Value: yes},
		})}},
	})
	if err != nil {
		return err
	}
	c.frameMax = tune.FrameMax
	err = c.Append(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax})
	if err != nil {
		return err
	}
	_, err = call[*wire.ConnectionOpenOk](c, 0, &wire.ConnectionOpen{VirtualHost: vhost})
	return err
}

// FrameMax is the negotiated size of frames in octets.
func (c *Conn) FrameMax() uint32 { return c.frameMax }

// NetConn is the socket, or TLS on it, for its addresses.
func (c *Conn) NetConn() net.Conn { return c.net }

// Open opens a channel.
func (c *Conn) Open(channel uint16) error {
	_, err := call[*wire.ChannelOpenOk](c, channel, &wire.ChannelOpen{})
	return err
}

// Goodbye closes the connection in order: when it returns without an error, the
// broker has handled all that was sent. Deliveries on their way are dropped.
func (c *Conn) Goodbye() error {
	defer c.Close()
	err := c.Append(0, &wire.ConnectionClose{ReplyCode: wire.ReplySuccess, ReplyText: "bye"})
	if err == nil {
		err = c.Flush()
	}
	for err == nil {
		var e Event
		if e, err = c.Next(); err != nil {
			break
		}
		if _, ok := e.Method.(*wire.ConnectionCloseOk); ok {
			return nil
		}
	}
	return err
}

// Close cuts the connection.
func (c *Conn) Close() error {
	c.stop()
	return c.net.Close()
}

// Call sends a method and waits for its answer on a channel where nothing else
// can come. The answer belongs to the caller until the next read.
func (c *Conn) Call(channel uint16, m wire.Method) (wire.Method, error) {
	if err := c.Append(channel, m); err != nil {
		return nil, err
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	for {
		e, err := c.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.ID(), err)
		}
		if e.Channel == channel {
			return e.Method, nil
		}
	}
}

func call[M wire.Method](c *Conn, channel uint16, m wire.Method) (M, error) {
	var zero M
	if err := c.Append(channel, m); err != nil {
		return zero, err
	}
	if err := c.Flush(); err != nil {
		return zero, err
	}
	return await[M](c, channel)
}

func await[M wire.Method](c *Conn, channel uint16) (M, error) {
	var zero M
	for {
		e, err := c.Next()
		if err != nil {
			return zero, err
		}
		if m, ok := e.Method.(M); ok && e.Channel == channel {
			return m, nil
		}
		if e.Channel != 0 || channel == 0 {
			return zero, fmt.Errorf("got %s, want %s", e.Method.ID(), zero.ID())
		}
	}
}

// A ClosedError says that the broker closed the connection or a channel.
type ClosedError struct {
	Channel uint16 // 0: the connection
	Code    wire.Code
	Text    string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("channel %d was closed: %d %s", e.Channel, e.Code, e.Text)
}

// Code gives the reply code of a close by the broker, or 0.
func Code(err error) wire.Code {
	if e, ok := errors.AsType[*ClosedError](err); ok {
		return e.Code
	}
	return 0
}
