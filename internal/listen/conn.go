package listen

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// tracked is the raw connection, below TLS. It leaves the listener's books
// when it is closed, whoever closes it: for HTTP that is the HTTP server.
type tracked struct {
	net.Conn
	listener *Listener
	info     Connection // written by the connection's goroutine before opened
	since    time.Time
	opened   atomic.Bool
	closing  sync.Once
}

// Close closes the connection and, the first time, counts it out. Whoever
// closes it meanwhile waits: crypto/tls does so when a handshake's time is up.
func (c *tracked) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		err = c.Conn.Close()
		l := c.listener
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		l.cfg.Budget.release()
		if c.opened.Load() {
			l.cfg.Events.closed(c.info, time.Since(c.since))
		}
	})
	return err
}

// remote gives the peer's address without the form IPv4 has inside IPv6.
func remote(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok { // some systems forget the address of a peer that left at once
		return netip.AddrPort{}
	}
	a := tcp.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// fill notes what the handshake agreed on.
func (i *Connection) fill(s tls.ConnectionState) {
	i.Version = tls.VersionName(s.Version)
	i.Suite = tls.CipherSuiteName(s.CipherSuite)
	i.Group = s.CurveID.String()
	i.ServerName = s.ServerName
	i.Protocol = s.NegotiatedProtocol
}
