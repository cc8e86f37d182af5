package amqp091

import (
	"time"

	"coffer/internal/broker"
)

// ConnectionInfo is what management shows of a connection that is in its virtual
// host. Nothing in it changes once given; it is the caller's but for Properties and
// the Arguments of consumers, which others may have, too.
type ConnectionInfo struct {
	Name       string // RabbitMQ's: "peer host:port -> host:port"
	ClientName string // client property connection_name
	User       string
	VHost      string
	Mechanism  string // of the login
	Direct     bool   // from within the process, by Server.ServeAs
	Host, Peer Endpoint
	TLS        *TLSInfo // nil: a plain one

	Properties  map[string]any // of the client, as wire.Table.Plain gives them
	FrameMax    uint32         // octets
	ChannelMax  uint16
	Heartbeat   time.Duration // 0: none
	ConnectedAt time.Time

	// State is running; blocking while the key cannot be used or there is no room,
	// and blocked when the client has published since; closing.
	State          string
	Received, Sent Traffic
	SendPending    int           // octets that wait to be written
	Channels       []ChannelInfo // by number
	Ended          MessageCounts // of channels that were closed
	// Session is what exclusive queues of the connection belong to; nil once it left.
	Session *broker.Session
}

// Endpoint is one end of a connection.
type Endpoint struct {
	Host string // an address without the port
	Port int
}

// TLSInfo is what the handshake agreed on, in Erlang's names, which RabbitMQ shows.
type TLSInfo struct {
	Protocol    string // "tlsv1.3"
	KeyExchange string // "any" from TLS 1.3 on
	Cipher      string // "aes_256_gcm"
	Hash        string // "aead"
	// Of the client's certificate; all empty: it has shown none.
	PeerSubject, PeerIssuer, PeerValidity string
}

// Traffic is what went over a connection in one direction, without TLS.
type Traffic struct {
	Octets uint64
	Calls  uint64 // reads or writes of the socket
}

// ChannelInfo is what management shows of a channel.
type ChannelInfo struct {
	Number          uint16
	Prefetch        int // of consumers to come; 0: no limit
	GlobalPrefetch  int // of all consumers together; 0: no limit
	Confirm         bool
	Transactional   bool
	Unacked         int
	Unconfirmed     int
	Uncommitted     int // publishes
	AcksUncommitted int
	IdleSince       time.Time // of the last method or delivery
	Counts          MessageCounts
	Consumers       []ConsumerInfo // by tag
}

// ConsumerInfo is what management shows of a consumer.
type ConsumerInfo struct {
	Tag         string
	Queue       string
	AckRequired bool
	Prefetch    int // 0: no limit
	Exclusive   bool
	Active      bool
	// ActivityStatus is up; at a queue with a single active consumer,
	// single_active or waiting.
	ActivityStatus string
	Arguments      map[string]any // as wire.Table.Plain gives them
}

// MessageCounts are how many messages went which way, since the beginning.
type MessageCounts struct {
	Publish          uint64
	Confirm          uint64
	ReturnUnroutable uint64
	DropUnroutable   uint64
	Deliver          uint64 // to consumers that acknowledge
	DeliverNoAck     uint64
	Get              uint64
	GetNoAck         uint64
	GetEmpty         uint64 // basic.get of an empty queue
	Redeliver        uint64 // of the four above it
	Ack              uint64
}

// Add adds what another counted.
func (m *MessageCounts) Add(o MessageCounts) {
	m.Publish += o.Publish
	m.Confirm += o.Confirm
	m.ReturnUnroutable += o.ReturnUnroutable
	m.DropUnroutable += o.DropUnroutable
	m.Deliver += o.Deliver
	m.DeliverNoAck += o.DeliverNoAck
	m.Get += o.Get
	m.GetNoAck += o.GetNoAck
	m.GetEmpty += o.GetEmpty
	m.Redeliver += o.Redeliver
	m.Ack += o.Ack
}

// Totals are what a server counts of all its connections, those that are gone
// included. They never go down.
type Totals struct {
	Messages                             MessageCounts
	PublishConfirm                       uint64 // of Messages.Publish: in confirm mode
	ConnectionsOpened, ConnectionsClosed uint64
	ChannelsOpened, ChannelsClosed       uint64
	QueuesDeclared                       uint64 // whether they were there or not
	LoginsAccepted, LoginsRefused        uint64
}
