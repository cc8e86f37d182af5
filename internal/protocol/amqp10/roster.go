package amqp10

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/tlsx"
)

// ConnectionInfo is what management shows of a connection that is in its virtual host.
type ConnectionInfo struct {
	Name        string // RabbitMQ's: "peer host:port -> host:port"
	ContainerID string // of the client
	User, VHost string
	Mechanism   string // of the login
	Host, Peer  Endpoint
	TLS         *tlsx.Description // nil: a plain one
	FrameMax    uint32            // octets
	IdleTimeout time.Duration     // that the client wants; 0: none
	ConnectedAt time.Time
	// State is running; blocked while there is no room or no key; closing.
	State          string
	Received, Sent Traffic
	SendPending    int // octets that wait to be written
	Sessions       int
	Senders        int // links by which the client sends
	Receivers      int // links by which it receives
	// Session is what exclusive queues of the connection belong to; nil once it left.
	Session *broker.Session
}

// Endpoint is one end of a connection.
type Endpoint struct {
	Host string // an address without the port
	Port int
}

// Traffic is what went over a connection in one direction, without TLS.
type Traffic struct {
	Octets uint64
	Calls  uint64 // reads or writes of the socket
}

// Totals are what a server counts of all its connections, those that are gone
// included. They never go down.
type Totals struct {
	Published  uint64 // messages from clients
	Unsettled  uint64 // of these, those whose outcome they want to hear
	Told       uint64 // of these, those accepted
	Unroutable uint64 // messages that no queue wanted
	Delivered  uint64 // messages to clients

	ConnectionsOpened, ConnectionsClosed uint64
	SessionsOpened, SessionsClosed       uint64
	LoginsAccepted, LoginsRefused        uint64
}

// roster knows the connections that are in their virtual hosts, and counts.
type roster struct {
	mu   sync.Mutex
	list map[*conn]struct{}

	opened, closed       atomic.Uint64
	begun, ended         atomic.Uint64
	accepted, refused    atomic.Uint64
	published, unsettled atomic.Uint64
	told, unroutable     atomic.Uint64
	delivered            atomic.Uint64
}

// shown is what a connection keeps for those who look at it.
type shown struct {
	face            ConnectionInfo // what does not change; complete once listed
	inflow, outflow traffic
	barred          atomic.Bool
	leaving         atomic.Bool
	tallied         tallied
	went            uint64 // deliveries that the writer counted since it told the roster
}

// tallied is what the reader counted since it told the roster.
type tallied struct{ published, unsettled, unroutable uint64 }

// traffic counts one direction of a connection. One goroutine writes.
type traffic struct{ octets, calls atomic.Uint64 }

func (t *traffic) add(octets int) {
	t.octets.Add(uint64(octets))
	t.calls.Add(1)
}

func (t *traffic) load() Traffic { return Traffic{t.octets.Load(), t.calls.Load()} }

// tellTallied counts what the reader has gathered, many messages at a time.
func (c *conn) tellTallied() {
	if n := &c.tallied; n.published > 0 {
		r := &c.srv.roster
		r.published.Add(n.published)
		r.unsettled.Add(n.unsettled)
		r.unroutable.Add(n.unroutable)
		*n = tallied{}
	}
}

// introduce notes what does not change any more and lists the connection.
func (c *conn) introduce() {
	f := &c.face
	f.User, f.VHost, f.ContainerID = c.client.User, c.client.VHost, c.client.Name
	f.FrameMax, f.IdleTimeout = c.frameMax, c.silence
	peer, here := c.net.RemoteAddr(), c.net.LocalAddr()
	f.Name = peer.String() + " -> " + here.String()
	f.Peer, f.Host = endpoint(peer), endpoint(here)
	if t, ok := c.net.(interface{ ConnectionState() tls.ConnectionState }); ok {
		if state := t.ConnectionState(); state.Version != 0 { // 0: without TLS after all
			d := tlsx.Describe(state)
			f.TLS = &d
		}
	}
	r := &c.srv.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil {
		r.list = map[*conn]struct{}{}
	}
	r.list[c] = struct{}{}
	r.opened.Add(1)
}

// remove takes a connection away that has left; one that never was there is ignored.
func (r *roster) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.list[c]; ok {
		delete(r.list, c)
		r.closed.Add(1)
	}
}

func endpoint(a net.Addr) Endpoint {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return Endpoint{ap.Addr().Unmap().String(), int(ap.Port())}
	}
	return Endpoint{Host: a.String()}
}

// Connections gives what is shown of the connections that are in their virtual hosts,
// in no order. It holds none of them up but for the copying.
func (s *Server) Connections() []ConnectionInfo {
	s.roster.mu.Lock()
	conns := make([]*conn, 0, len(s.roster.list))
	for c := range s.roster.list {
		conns = append(conns, c)
	}
	s.roster.mu.Unlock()
	list := make([]ConnectionInfo, 0, len(conns))
	for _, c := range conns {
		list = append(list, c.info())
	}
	return list
}

// CloseConnection closes the connection of that [ConnectionInfo] name: its client
// hears amqp:connection:forced with the reason. It reports whether there was one, and
// does not wait for its end.
func (s *Server) CloseConnection(name, reason string) bool {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	for c := range s.roster.list {
		if c.face.Name != name {
			continue
		}
		if !c.leaving.Load() { // else it is told what it leaves for
			c.fail(refuse(ConnectionScope, wire.ConnectionErrorConnectionForced,
				"Connection forced: %q", reason))
		}
		return true
	}
	return false
}

// Totals gives what the server has counted.
func (s *Server) Totals() Totals {
	r := &s.roster
	t := Totals{ // what ends first, so that it is never more than what began
		ConnectionsClosed: r.closed.Load(), SessionsClosed: r.ended.Load(),
		Told: r.told.Load(), Unroutable: r.unroutable.Load(), Unsettled: r.unsettled.Load(),
		Delivered: r.delivered.Load(), LoginsAccepted: r.accepted.Load(),
		LoginsRefused: r.refused.Load(),
	}
	t.ConnectionsOpened, t.SessionsOpened = r.opened.Load(), r.begun.Load()
	t.Published = r.published.Load()
	return t
}

// info is what is shown of the connection now.
func (c *conn) info() ConnectionInfo {
	i := c.face
	i.State = "running"
	switch {
	case c.leaving.Load():
		i.State = "closing"
	case c.barred.Load():
		i.State = "blocked"
	}
	i.Received, i.Sent = c.inflow.load(), c.outflow.load()
	c.out.Lock()
	defer c.out.Unlock()
	i.SendPending, i.Session, i.Sessions = len(c.out.Buf), c.events, len(c.live)
	for _, s := range c.live {
		for _, l := range s.links {
			if l.sender {
				i.Senders++
			}
		}
	}
	i.Receivers = len(c.links)
	return i
}
