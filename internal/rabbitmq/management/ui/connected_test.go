package ui

import (
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/rabbitmq/management"
)

// connected is who is connected, as node shows it to the API.
type connected struct{ server *amqp091.Server }

func (l connected) Connections() []management.Connection {
	var all []management.Connection
	for _, x := range l.server.Connections() {
		c := management.Connection{
			Name: x.Name, ClientName: x.ClientName, User: x.User, Vhost: x.VHost,
			Mechanism: x.Mechanism, Protocol: "AMQP 0-9-1", Properties: x.Properties,
			Host: management.Endpoint(x.Host), Peer: management.Endpoint(x.Peer),
			FrameMax: int(x.FrameMax), ChannelMax: int(x.ChannelMax), State: x.State,
			Heartbeat: x.Heartbeat, ConnectedAt: x.ConnectedAt, Session: x.Session,
			ReceivedBytes: x.Received.Octets, SentBytes: x.Sent.Octets,
		}
		for _, ch := range x.Channels {
			shown := management.Channel{
				Number: int(ch.Number), Prefetch: ch.Prefetch, Confirm: ch.Confirm,
				Unacked: ch.Unacked, Unconfirmed: ch.Unconfirmed, IdleSince: ch.IdleSince,
			}
			for _, k := range ch.Consumers {
				shown.Consumers = append(shown.Consumers, management.Consumer(k))
			}
			c.Channels = append(c.Channels, shown)
		}
		all = append(all, c)
	}
	return all
}

func (l connected) CloseConnection(name, reason string) bool {
	return l.server.CloseConnection(name, reason)
}

func (l connected) Totals() management.Totals {
	t := l.server.Totals()
	return management.Totals{ConnectionsOpened: t.ConnectionsOpened}
}

func (connected) Machine() management.Machine {
	return management.Machine{DiskFree: 8 << 30, DiskLimit: 1 << 30, Memory: 4 << 30}
}

// noLinks: the broker is connected with no other.
type noLinks struct{}

func (noLinks) Shovels() []management.Link         { return nil }
func (noLinks) FederationLinks() []management.Link { return nil }
func (noLinks) RestartShovel(string, string) error { return fault.New(fault.NotFound, "none") }

func (noLinks) RestartFederation(string, string) error {
	return fault.New(fault.NotFound, "none")
}
