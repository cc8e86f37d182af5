package amqp091

import (
	"cmp"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/tlsx"
)

// roster knows the connections that are in their virtual hosts.
type roster struct {
	mu     sync.Mutex
	list   map[*conn]struct{}
	ended  MessageCounts // of connections that are gone
	sure   uint64        // of them in confirm mode
	opened uint64
	closed uint64

	channelsOpened, channelsClosed atomic.Uint64
	declared, accepted, refused    atomic.Uint64
}

func (r *roster) add(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil {
		r.list = map[*conn]struct{}{}
	}
	r.list[c] = struct{}{}
	r.opened++
}

// remove takes a connection away that has left; one that never was there is ignored.
func (r *roster) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.list[c]; !ok {
		return
	}
	delete(r.list, c)
	r.closed++
	counts, sure := c.counts()
	r.ended.Add(counts)
	r.sure += sure
}

// Connections gives what is shown of the connections that are in their virtual
// hosts, in no order. It holds none of them up but for the copying.
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
// hears CONNECTION_FORCED with the reason. It reports whether there was one, and does
// not wait for its end.
func (s *Server) CloseConnection(name, reason string) bool {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	for c := range s.roster.list {
		if c.face.Name == name {
			if !c.leaving.Load() { // else it is told what it leaves for
				c.fail(refuse(wire.ConnectionForced, "%s", reason))
			}
			return true
		}
	}
	return false
}

// Totals gives what the server has counted.
func (s *Server) Totals() Totals {
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Totals{
		Messages: r.ended, PublishConfirm: r.sure,
		ConnectionsOpened: r.opened, ConnectionsClosed: r.closed,
	}
	for c := range r.list {
		counts, sure := c.counts()
		t.Messages.Add(counts)
		t.PublishConfirm += sure
	}
	t.ChannelsClosed = r.channelsClosed.Load() // first: it is never more than the other
	t.ChannelsOpened = r.channelsOpened.Load()
	t.QueuesDeclared = r.declared.Load()
	t.LoginsAccepted, t.LoginsRefused = r.accepted.Load(), r.refused.Load()
	return t
}

// counts sums what the channels of a connection count, those in confirm mode apart.
func (c *conn) counts() (sum MessageCounts, sure uint64) {
	c.out.Lock()
	defer c.out.Unlock()
	sum, sure = c.ended, c.endedSure
	for _, ch := range c.byID {
		counts := ch.counts()
		sum.Add(counts)
		if ch.shown.confirm.Load() {
			sure += counts.Publish
		}
	}
	return sum, sure
}

// forget counts a channel that ends. The caller holds c.out.
func (c *conn) forget(ch *channel) {
	if c.byID[ch.id] != ch {
		return
	}
	delete(c.byID, ch.id)
	ch.left()
	counts := ch.counts()
	c.ended.Add(counts)
	if ch.shown.confirm.Load() {
		c.endedSure += counts.Publish
	}
	c.srv.roster.channelsClosed.Add(1)
}

// introduce notes what does not change any more and lists the connection.
func (c *conn) introduce() {
	c.face.User, c.face.VHost, c.face.ClientName = c.client.User, c.client.VHost, c.client.Name
	c.face.FrameMax, c.face.ChannelMax = c.frameMax, c.channelMax
	c.face.Heartbeat, c.face.Direct = c.heartbeat, c.known != ""
	peer, here := c.net.RemoteAddr(), c.net.LocalAddr()
	c.face.Name = peer.String() + " -> " + here.String()
	c.face.Peer, c.face.Host = endpoint(peer), endpoint(here)
	if t, ok := c.net.(interface{ ConnectionState() tls.ConnectionState }); ok {
		if state := t.ConnectionState(); state.Version != 0 { // 0: without TLS after all
			d := TLSInfo(tlsx.Describe(state))
			c.face.TLS = &d
		}
	}
	c.srv.roster.add(c)
}

func endpoint(a net.Addr) Endpoint {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return Endpoint{ap.Addr().Unmap().String(), int(ap.Port())}
	}
	return Endpoint{Host: a.String()}
}

// info is what is shown of the connection now.
func (c *conn) info() ConnectionInfo {
	i := c.face
	i.State, i.Properties = c.state(), shownArguments(c.properties)
	i.Received, i.Sent = c.received.load(), c.sent.load()
	c.out.Lock()
	i.SendPending, i.Ended, i.Session = len(c.out.Buf), c.ended, c.live
	i.Channels = make([]ChannelInfo, 0, len(c.byID))
	var arguments [][]byte
	for _, ch := range c.byID {
		var shown ChannelInfo
		shown, arguments = ch.info(arguments)
		i.Channels = append(i.Channels, shown)
	}
	c.out.Unlock()
	for j := range i.Channels {
		for k := range i.Channels[j].Consumers {
			i.Channels[j].Consumers[k].Arguments = shownArguments(arguments[0])
			arguments = arguments[1:]
		}
	}
	slices.SortFunc(i.Channels, func(a, b ChannelInfo) int {
		return cmp.Compare(a.Number, b.Number)
	})
	for _, ch := range i.Channels {
		slices.SortFunc(ch.Consumers, func(a, b ConsumerInfo) int {
			return strings.Compare(a.Tag, b.Tag)
		})
	}
	return i
}
