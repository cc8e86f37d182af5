package peer

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	frameMax   = 128 << 10 // octets; RabbitMQ's
	channelMax = 16        // a link has three
	heartbeat  = 10 * time.Second
)

// Conn is a connection to a broker.
type Conn struct {
	*amqp.Connection
	URI *URI
	raw net.Conn
}

// DialAny tries the URIs in a random order and gives the first connection. The error is
// the last one.
func (d *Dialer) DialAny(ctx context.Context, uris []*URI, name string) (*Conn, error) {
	err := errors.New("no URI is given")
	for _, i := range rand.Perm(len(uris)) {
		var c *Conn
		if c, err = d.Dial(ctx, uris[i], name); err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, err
}

// Dial opens a connection, which is told to be called name. The error names the URI
// without what is secret. When ctx ends before it is open, it is closed.
func (d *Dialer) Dial(ctx context.Context, u *URI, name string) (*Conn, error) {
	c, err := d.dial(ctx, u, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u, Reason(err))
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, u *URI, name string) (*Conn, error) {
	timeout := min(cmp.Or(u.timeout, d.cfg.Timeout), maxTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, mechanisms, err := d.open(ctx, u)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	cfg := amqp.Config{
		SASL: mechanisms, Vhost: u.vhost, Locale: "en_US", Heartbeat: heartbeat,
		FrameSize: cmp.Or(u.frameMax, frameMax), ChannelMax: cmp.Or(u.channelMax, channelMax),
		Properties: amqp.Table{
			"product": d.cfg.Product, "version": d.cfg.Version, "platform": "Go",
			"connection_name": name,
		},
	}
	if u.heartbeatSet {
		cfg.Heartbeat = u.heartbeat
	}
	conn, err := amqp.Open(raw, cfg)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &Conn{Connection: conn, URI: u, raw: raw}, nil
}

// open gives the connection below AMQP and how to sign in.
func (d *Dialer) open(ctx context.Context, u *URI) (net.Conn, []amqp.Authentication, error) {
	if u.Local() {
		return d.enter(ctx, u)
	}
	if err := d.Check(u); err != nil {
		return nil, nil, err
	}
	var config *tls.Config
	if u.secure {
		var err error
		if config, err = d.tls(u); err != nil {
			return nil, nil, err
		}
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", u.address())
	if err != nil {
		return nil, nil, err
	}
	if !u.secure && !loopbackAddress(raw.RemoteAddr()) { // a resolver's idea of localhost
		raw.Close()
		return nil, nil, errors.New("not a loopback address")
	}
	if u.secure {
		client := tls.Client(raw, config)
		if err := client.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, nil, err
		}
		raw = client
	}
	return raw, u.mechanismsOf(), nil
}

func loopbackAddress(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// enter connects to the broker itself.
func (d *Dialer) enter(ctx context.Context, u *URI) (net.Conn, []amqp.Authentication, error) {
	if d.cfg.Broker == nil {
		return nil, nil, errors.New("there is no local broker")
	}
	if u.password != nil {
		raw, err := d.cfg.Broker.EnterAsClient(ctx)
		return raw, u.mechanismsOf(), err
	}
	raw, err := d.cfg.Broker.Enter(ctx, u.user)
	return raw, []amqp.Authentication{&amqp.ExternalAuth{}}, err
}

// mechanismsOf are the ways to sign in. As RabbitMQ's client does, a URI without user is
// of guest.
func (u *URI) mechanismsOf() (list []amqp.Authentication) {
	user, password := u.user, "guest"
	if !u.named {
		user = "guest"
	}
	if u.password != nil {
		password = u.password.text
	}
	for _, m := range u.mechanisms {
		switch m {
		case "PLAIN":
			list = append(list, &amqp.PlainAuth{Username: user, Password: password})
		case "AMQPLAIN":
			list = append(list, &amqp.AMQPlainAuth{Username: user, Password: password})
		case "EXTERNAL":
			list = append(list, &amqp.ExternalAuth{})
		}
	}
	if list == nil {
		list = []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: password}}
	}
	return list
}

// tls makes the configuration of a client, which always verifies the server.
func (d *Dialer) tls(u *URI) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: d.cfg.Roots,
		ServerName: cmp.Or(u.serverName, u.host),
	}
	if u.caFile != "" {
		pem, err := os.ReadFile(u.caFile)
		if err != nil {
			return nil, fmt.Errorf("cacertfile: %w", fileError(err))
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("cacertfile: it holds no certificate")
		}
	}
	if u.certFile != "" {
		pair, err := tls.LoadX509KeyPair(u.certFile, u.keyFile)
		if err != nil {
			return nil, fmt.Errorf("certfile and keyfile: %w", fileError(err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// fileError tells what failed without the path, which is the user's to know.
func fileError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// End closes the connection: first as AMQP has it, and when that takes longer than
// grace, at once.
func (c *Conn) End(grace time.Duration) {
	cut := time.AfterFunc(grace, c.Cut)
	defer cut.Stop()
	c.CloseDeadline(time.Now().Add(grace)) // it may be closed already
}

// Cut closes the connection without a goodbye.
func (c *Conn) Cut() { c.raw.Close() }
