package management

import (
	"time"

	"coffer/internal/broker"
)

// Living shows who is connected to the broker, and what the machine has. It is called by
// many goroutines at once.
type Living interface {
	// Connections lists the clients in virtual hosts, in no order. What is in it is the
	// caller's.
	Connections() []Connection
	// CloseConnection closes the connection of that name; its client hears the reason.
	// It reports whether there was one.
	CloseConnection(name, reason string) bool
	// Totals are what was counted of all connections, those that are gone included.
	Totals() Totals
	// Machine tells how the process fares.
	Machine() Machine
}

// Connection is a client in a virtual host.
type Connection struct {
	Name       string // unique
	ClientName string // that the client gave it
	User       string
	Vhost      string
	Mechanism  string // PLAIN, EXTERNAL
	Protocol   string // "AMQP 0-9-1"
	Direct     bool   // from within the process
	Host, Peer Endpoint
	TLS        *TLS // nil: none

	Properties  map[string]any
	FrameMax    int
	ChannelMax  int
	Heartbeat   time.Duration
	ConnectedAt time.Time
	State       string

	ReceivedBytes, ReceivedCalls uint64
	SentBytes, SentCalls         uint64
	SendPending                  int
	Channels                     []Channel
	Ended                        Counts // of channels that were closed
	// Session is what exclusive queues of the connection belong to.
	Session *broker.Session
}

// Endpoint is one end of a connection.
type Endpoint struct {
	Host string
	Port int
}

// TLS is what a handshake agreed on, in Erlang's words.
type TLS struct {
	Protocol, KeyExchange, Cipher, Hash   string
	PeerSubject, PeerIssuer, PeerValidity string
}

// Channel is a channel of a connection.
type Channel struct {
	Number          int
	Prefetch        int
	GlobalPrefetch  int
	Confirm         bool
	Transactional   bool
	Unacked         int
	Unconfirmed     int
	Uncommitted     int
	AcksUncommitted int
	IdleSince       time.Time
	Counts          Counts
	Consumers       []Consumer
}

// Consumer is a consumer of a channel.
type Consumer struct {
	Tag            string
	Queue          string
	AckRequired    bool
	Prefetch       int
	Exclusive      bool
	Active         bool
	ActivityStatus string
	Arguments      map[string]any
}

// Counts are how many messages went which way, since the beginning.
type Counts struct {
	Publish, Confirm, ReturnUnroutable, DropUnroutable uint64
	Deliver, DeliverNoAck, Get, GetNoAck, GetEmpty     uint64
	Redeliver, Ack                                     uint64
}

// Totals are counted over all connections.
type Totals struct {
	Messages                             Counts
	ConnectionsOpened, ConnectionsClosed uint64
	ChannelsOpened, ChannelsClosed       uint64
	QueuesDeclared                       uint64 // whether they were there or not
}

// Machine is what a node has and uses. What is not known is 0.
type Machine struct {
	DiskFree, DiskLimit uint64 // bytes; below the limit messages are refused
	DiskAlarm           bool
	Memory              uint64    // bytes
	Files, MaxFiles     int       // open file descriptors
	Certificate         time.Time // when the first of the server's ends; zero: not known
}
