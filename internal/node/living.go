package node

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"

	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp10"
	"coffer/internal/rabbitmq/management"
)

var _ management.Living = (*managed)(nil)

// Connections is [management.Living]'s.
func (m *managed) Connections() []management.Connection {
	list, newer := m.server.Connections(), m.newer.Connections()
	out := make([]management.Connection, 0, len(list)+len(newer))
	for i := range list {
		out = append(out, shownConnection(&list[i]))
	}
	for i := range newer {
		out = append(out, newerConnection(&newer[i]))
	}
	return out
}

func shownConnection(x *amqp091.ConnectionInfo) management.Connection {
	c := management.Connection{
		Name: x.Name, ClientName: x.ClientName, User: x.User, Vhost: x.VHost,
		Mechanism: x.Mechanism, Protocol: "AMQP 0-9-1", Direct: x.Direct,
		Host: management.Endpoint(x.Host), Peer: management.Endpoint(x.Peer),
		TLS: (*management.TLS)(x.TLS), Properties: x.Properties, FrameMax: int(x.FrameMax),
		ChannelMax: int(x.ChannelMax), Heartbeat: x.Heartbeat, ConnectedAt: x.ConnectedAt,
		State: x.State, ReceivedBytes: x.Received.Octets, ReceivedCalls: x.Received.Calls,
		SentBytes: x.Sent.Octets, SentCalls: x.Sent.Calls, SendPending: x.SendPending,
		Ended: shownCounts(x.Ended), Session: x.Session,
	}
	for i := range x.Channels {
		ch := &x.Channels[i]
		shown := management.Channel{
			Number: int(ch.Number), Prefetch: ch.Prefetch, GlobalPrefetch: ch.GlobalPrefetch,
			Confirm: ch.Confirm, Transactional: ch.Transactional, Unacked: ch.Unacked,
			Unconfirmed: ch.Unconfirmed, Uncommitted: ch.Uncommitted,
			AcksUncommitted: ch.AcksUncommitted, IdleSince: ch.IdleSince,
			Counts: shownCounts(ch.Counts),
		}
		for _, k := range ch.Consumers {
			shown.Consumers = append(shown.Consumers, management.Consumer(k))
		}
		c.Channels = append(c.Channels, shown)
	}
	return c
}

// newerConnection shows one of AMQP 1.0, whose sessions are no channels.
func newerConnection(x *amqp10.ConnectionInfo) management.Connection {
	return management.Connection{
		Name: x.Name, ClientName: x.ContainerID, User: x.User, Vhost: x.VHost,
		Mechanism: x.Mechanism, Protocol: "AMQP 1-0",
		Host: management.Endpoint(x.Host), Peer: management.Endpoint(x.Peer),
		TLS: (*management.TLS)(x.TLS), Properties: map[string]any{}, FrameMax: int(x.FrameMax),
		Heartbeat: x.IdleTimeout, ConnectedAt: x.ConnectedAt, State: x.State,
		ReceivedBytes: x.Received.Octets, ReceivedCalls: x.Received.Calls,
		SentBytes: x.Sent.Octets, SentCalls: x.Sent.Calls, SendPending: x.SendPending,
		Session: x.Session,
	}
}

func shownCounts(m amqp091.MessageCounts) management.Counts {
	return management.Counts{
		Publish: m.Publish, Confirm: m.Confirm, ReturnUnroutable: m.ReturnUnroutable,
		DropUnroutable: m.DropUnroutable, Deliver: m.Deliver, DeliverNoAck: m.DeliverNoAck,
		Get: m.Get, GetNoAck: m.GetNoAck, GetEmpty: m.GetEmpty, Redeliver: m.Redeliver,
		Ack: m.Ack,
	}
}

// CloseConnection is [management.Living]'s.
func (m *managed) CloseConnection(name, reason string) bool {
	return m.server.CloseConnection(name, reason) || m.newer.CloseConnection(name, reason)
}

// Totals is [management.Living]'s.
func (m *managed) Totals() management.Totals {
	t, u := m.server.Totals(), m.newer.Totals()
	t.Messages.Add(amqp091.MessageCounts{
		Publish: u.Published, Confirm: u.Told, ReturnUnroutable: u.Unroutable,
		Deliver: u.Delivered,
	})
	return management.Totals{
		Messages:          shownCounts(t.Messages),
		ConnectionsOpened: t.ConnectionsOpened + u.ConnectionsOpened,
		ConnectionsClosed: t.ConnectionsClosed + u.ConnectionsClosed,
		ChannelsOpened:    t.ChannelsOpened, ChannelsClosed: t.ChannelsClosed,
		QueuesDeclared: t.QueuesDeclared,
	}
}

// Machine is [management.Living]'s.
func (m *managed) Machine() management.Machine {
	n := m.fleet.n
	free, mark := n.engine.Space()
	shown := management.Machine{
		DiskFree: free, DiskLimit: mark, DiskAlarm: n.engine.Room() != nil,
		Memory: min(totalMemory(), uint64(debug.SetMemoryLimit(-1))), MaxFiles: int(maxFiles()),
	}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		shown.Files = len(list)
	}
	if n.files != nil {
		shown.Certificate = n.files.NotAfter()
	}
	return shown
}

// totalMemory is the machine's, in bytes; without bound where that is not known.
func totalMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	var kib uint64
	if err == nil {
		_, err = fmt.Sscanf(string(text), "MemTotal: %d kB", &kib)
	}
	if err != nil {
		return math.MaxUint64
	}
	return kib << 10
}
