// Package listen opens the sockets of the doors and carries each connection
// from accept to close: TLS handshake, limits, keepalive, draining.
//
// It guarantees that a plaintext listener exists on loopback addresses only,
// that a handler sees a connection only after its handshake, that what one
// connection does (a failed handshake, a panic of its handler) does not touch
// another, and that after Close no goroutine and no socket of the listener is
// left.
//
// It knows no protocol and reads no byte of a connection after its handshake;
// idle timeouts and frame limits are the handler's. It writes no log: it tells
// an [Events] what happens.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultMaxConnections is Config.MaxConnections where that is not set.
const DefaultMaxConnections = 20_000

const (
	defaultHandshakeTimeout = 10 * time.Second

	// A dead peer is noticed after idle + count × interval, 90 seconds.
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4

	// After a failed accept, most often for want of file descriptors.
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// Config says where to listen and how.
type Config struct {
	// Name is the door's, for events and errors: "amqp".
	Name string
	// Address is an IP address, or localhost. localhost, ::1 and 127.0.0.1,
	// the default, mean both loopback addresses, as far as the machine has
	// them.
	Address string
	// Port is from 0, which lets the system choose, to 65535.
	Port int
	// Flag is the setting that changes the port, for the error of a port in
	// use: "--amqp-port".
	Flag string
	// TLS is the server's configuration; nil means plaintext, which is refused
	// unless the address is a loopback address.
	TLS *tls.Config
	// MaxConnections that are open at a time, those in their handshake too;
	// more are closed at once. Default: 20000.
	MaxConnections int
	// Budget bounds the connections of this listener and others together. nil: nothing
	// does.
	Budget *Budget
	// HandshakeTimeout bounds the TLS handshake. Default: 10 seconds.
	HandshakeTimeout time.Duration
	// Events are told what happens. Default: nobody.
	Events Events
}

// Handler serves one connection, which is closed when it returns. ctx ends
// when the listener begins to close: the handler then says goodbye in its
// protocol and returns. It must also return soon after its connection was cut.
// The connection is a *tls.Conn unless the listener is a plaintext one.
type Handler func(ctx context.Context, conn net.Conn)

// Listener is a set of bound sockets that share a port. Its methods may be
// called from any goroutine.
type Listener struct {
	cfg     Config
	sockets []net.Listener

	ctx    context.Context // of handlers; ends when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup // accept loops and connections
	closed chan struct{}  // closed at the end of the first Close

	mu      sync.Mutex // never held while anything waits
	serving bool
	closing bool
	open    map[*tracked]struct{}
	drain   func(context.Context) error // of an HTTP server; nil for a Handler
}

// Open binds the sockets. The kernel queues connections from here on; they are
// taken by [Listener.Serve] or [Listener.ServeHTTP], one of which must be
// called, and [Listener.Close] in any case.
func Open(cfg Config) (*Listener, error) {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = DefaultMaxConnections
	}
	cfg.MaxConnections = int(min(int64(cfg.MaxConnections), cfg.Budget.share()))
	if cfg.HandshakeTimeout == 0 {
		cfg.HandshakeTimeout = defaultHandshakeTimeout
	}
	addresses, err := resolve(&cfg)
	if err != nil {
		return nil, err
	}
	sockets, err := bind(&cfg, addresses)
	if err != nil {
		return nil, err
	}
	l := &Listener{cfg: cfg, sockets: sockets, open: make(map[*tracked]struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.closed = make(chan struct{})
	return l, nil
}

// Port is the one that all sockets share, also where the system chose it.
func (l *Listener) Port() int { return int(l.Addresses()[0].Port()) }

// Addresses lists what the listener is bound to; the first one is always there.
func (l *Listener) Addresses() []netip.AddrPort {
	var list []netip.AddrPort
	for _, s := range l.sockets {
		list = append(list, s.Addr().(*net.TCPAddr).AddrPort())
	}
	return list
}

// Serve accepts connections until [Listener.Close] and returns when it is
// done. It is called once.
func (l *Listener) Serve(handle Handler) {
	l.serve(nil, func(conn net.Conn) {
		defer conn.Close()
		handle(l.ctx, conn)
	})
}

// serve runs the accept loops. deliver takes over each connection.
func (l *Listener) serve(drain func(context.Context) error, deliver func(net.Conn)) {
	l.mu.Lock()
	if l.serving {
		panic("listen: " + l.cfg.Name + " is served twice")
	}
	l.serving = true
	l.drain = drain
	if !l.closing {
		for _, s := range l.sockets {
			l.tasks.Go(func() { l.accept(s, deliver) })
		}
	}
	l.mu.Unlock()
	<-l.closed
}

// accept takes connections from one socket until it is closed.
func (l *Listener) accept(socket net.Listener, deliver func(net.Conn)) {
	backoff := minBackoff
	for {
		raw, err := socket.Accept()
		switch {
		case err == nil:
			backoff = minBackoff
			l.admit(raw, deliver)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.cfg.Events.acceptFailed(l.cfg.Name, err)
			select {
			case <-l.ctx.Done():
				return
			case <-time.After(backoff):
				backoff = min(2*backoff, maxBackoff)
			}
		}
	}
}

// admit starts a connection's goroutine, or closes the connection over a limit.
func (l *Listener) admit(raw net.Conn, deliver func(net.Conn)) {
	c := &tracked{Conn: raw, listener: l, since: time.Now()}
	c.info = Connection{Listener: l.cfg.Name, Remote: remote(raw)}
	l.mu.Lock()
	if l.closing || len(l.open) >= l.cfg.MaxConnections || !l.cfg.Budget.take() {
		closing := l.closing
		l.mu.Unlock()
		raw.Close()
		if !closing {
			l.cfg.Events.refused(c.info)
		}
		return
	}
	l.open[c] = struct{}{}
	l.mu.Unlock()
	// The accept loop is itself a task, so the group cannot be at zero here.
	l.tasks.Go(func() { l.run(c, deliver) })
}

// run does the handshake and hands the connection over.
func (l *Listener) run(c *tracked, deliver func(net.Conn)) {
	defer func() {
		if p := recover(); p != nil {
			c.Close()
			l.cfg.Events.panicked(c.info, p, debug.Stack())
		}
	}()
	conn, err := l.handshake(c)
	if err != nil {
		if l.drain != nil {
			l.answerPlain(c, err)
		}
		c.Close()
		if l.ctx.Err() == nil {
			l.cfg.Events.handshakeFailed(c.info, err)
		}
		return
	}
	c.opened.Store(true)
	l.cfg.Events.opened(c.info)
	deliver(conn)
}

// handshake makes c a TLS connection, unless the listener is a plaintext one.
func (l *Listener) handshake(c *tracked) (net.Conn, error) {
	if l.cfg.TLS == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	conn := tls.Server(c, l.cfg.TLS)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	c.info.fill(conn.ConnectionState())
	return conn, nil
}

// Close stops accepting, ends the context of the handlers and waits for them.
// When ctx ends first it cuts the connections that are left, waits for their
// handlers to notice, and gives the cause of ctx. A second Close waits for the
// first.
func (l *Listener) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		<-l.closed
		return nil
	}
	l.closing = true
	drain := l.drain
	l.mu.Unlock()

	l.cancel()
	for _, s := range l.sockets {
		s.Close()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if drain != nil {
			drain(ctx) // its only error is ctx's, which is seen below
		}
		l.tasks.Wait()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
		l.cut()
		<-done
	}
	l.cut() // what an HTTP server left, having been cut itself
	close(l.closed)
	return err
}

// cut closes every connection that is open.
func (l *Listener) cut() {
	l.mu.Lock()
	var open []*tracked
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}
