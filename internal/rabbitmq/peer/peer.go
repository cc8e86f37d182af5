// Package peer connects shovels and federation links to brokers: to other machines over
// TLS with a verified certificate, and to the broker itself by a pipe within the process.
//
// It guarantees that no password, user or query of a URI is in an error, a log or a text
// that it makes, and that nothing is sent in clear to another machine. It does not keep
// connections: who dials one closes it.
package peer

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"coffer/internal/fault"
)

// Broker is the broker that the process itself runs.
type Broker interface {
	// Enter gives a client's end of a connection to it, which is served until it is
	// closed. The client is the user, and signs in with EXTERNAL; without a user it is
	// the broker's own, to whom everything is permitted.
	Enter(ctx context.Context, user string) (net.Conn, error)
	// EnterAsClient gives one that has to sign in as those of other machines.
	EnterAsClient(ctx context.Context) (net.Conn, error)
}

// Defaults of Config.
const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 10 * time.Minute
)

// Config tunes a Dialer; zero fields but Broker get the default named.
type Config struct {
	Broker Broker // needed for URIs without host
	// Roots are trusted where a URI names no cacertfile; nil: the system's.
	Roots *x509.CertPool
	// InsecureLoopback lets amqp:// lead to loopback addresses, in clear.
	InsecureLoopback bool
	Timeout          time.Duration // to connect and sign in; 30 s
	Product          string        // that peers are told; Coffer
	Version          string
}

// Dialer opens connections. It is safe for concurrent use.
type Dialer struct{ cfg Config }

// New makes a Dialer.
func New(cfg Config) *Dialer {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Product == "" {
		cfg.Product = "Coffer"
	}
	return &Dialer{cfg}
}

// Check refuses a URI that would be dialled in clear: fault.Invalid.
func (d *Dialer) Check(u *URI) error {
	if u.secure || u.Local() || d.cfg.InsecureLoopback && loopback(u.host) {
		return nil
	}
	return fault.New(fault.Invalid,
		"%q: other machines are reached over TLS only; use amqps://", u.String())
}

// CheckURI refuses what is no URI, would be dialled in clear, or acts for another user than
// by who sets it: fault.Invalid.
func (d *Dialer) CheckURI(text, by string) error {
	u, err := ParseURI(text, "/")
	if err == nil {
		err = d.Check(u)
	}
	if err == nil {
		err = u.ActFor(by)
	}
	return err
}

// stampFormat is RabbitMQ's: local time, the hour without a leading zero.
const stampFormat = "2006-01-02 15:04:05"

// Stamp is a time as RabbitMQ's API shows it of shovels and links.
func Stamp(t time.Time) string {
	s := t.Local().Format(stampFormat)
	if s[11] == '0' {
		return s[:11] + s[12:]
	}
	return s
}

// loopback reports whether a host is this machine, whatever a resolver says.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// address is where to connect.
func (u *URI) address() string {
	port := u.port
	switch {
	case port != 0:
	case u.secure:
		port = 5671
	default:
		port = 5672
	}
	return net.JoinHostPort(u.host, fmt.Sprint(port))
}
