package amqp091

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"

	"coffer/internal/telemetry/trace"
)

// ContentFormat is [broker.Content]'s Format for messages of AMQP 0-9-1: Header
// holds the property flags and the property list of the content header.
const ContentFormat = 1

// Resource is a kind of thing that a user needs a permission for.
type Resource string

// The resources, with the names that RabbitMQ's texts have for them.
const (
	ExchangeResource Resource = "exchange"
	QueueResource    Resource = "queue"
)

// Action is what a user wants to do with a resource.
type Action string

// RabbitMQ's three permissions.
const (
	Configure Action = "configure"
	Write     Action = "write"
	Read      Action = "read"
)

// Engine decides who may enter and what a virtual host is. It is called by many
// goroutines at once.
type Engine interface {
	// Authenticate checks a password; it may take as long as a password hash
	// does. Errors: fault.Unauthenticated, whatever was wrong, and
	// fault.Unavailable or fault.Exhausted, to be tried later. It does not keep
	// password.
	Authenticate(ctx context.Context, user string, password []byte) error
	// Open gives the namespace of a virtual host. Errors: fault.NotFound, and
	// fault.Denied when the user may not enter it.
	Open(ctx context.Context, user, vhost string) (*broker.Namespace, error)
	// Permit is nil when the user may do that; else fault.Denied. The default
	// exchange is called amq.default. It is asked for nearly every publish, so it
	// answers from memory.
	Permit(user, vhost string, kind Resource, name string, action Action) error
	// Watch calls fn after each change of n.Locked until stop is called. fn does
	// not block and may still run once while stop does.
	Watch(n *broker.Namespace, fn func()) (stop func())
}

// ClusterNamer is an [Engine] whose cluster may be given another name while it runs.
type ClusterNamer interface {
	// ClusterName is what is told to clients; "": Config.Cluster is.
	ClusterName() string
}

// Defaults of Config.
const (
	defaultMaxMessage       = 16 << 20
	defaultMaxPending       = 64 << 20
	defaultMaxConsumers     = 16384
	defaultChannelMax       = 2047
	defaultHeartbeat        = 60 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
	defaultWriteTimeout     = 60 * time.Second
	defaultCloseTimeout     = 10 * time.Second
	defaultConsumerTimeout  = 30 * time.Minute
	defaultRefusalDelay     = time.Second
)

// Config tunes a Server; zero fields but Engine get the default named.
type Config struct {
	Engine Engine       // needed
	Space  Space        // nil: there always is room
	Logger *slog.Logger // for what is our fault; default slog.Default
	Events Events       // default: nobody is told
	// Tracer traces messages from publish to confirm, and from delivery to settlement, as
	// far as either is asked for; nil: none.
	Tracer *trace.Tracer

	// Product is the server property "product"; default RabbitMQ, since clients read
	// from it what methods mean: to kombu basic.qos of any other product is that of the
	// specification.
	Product string
	Version string // server property "version"; default 4.1.0, RabbitMQ's that is followed
	Cluster string // server property "cluster_name"; default coffer

	// MaxMessage bounds a body in octets; 16 MiB. The broker's bound should be
	// some KiB higher, since it counts properties too.
	MaxMessage int
	// MaxPending bounds the octets of incomplete messages of one connection,
	// which may be on many channels, as well as those of its transactions and those
	// of answers that it has not read; 64 MiB, and at least MaxMessage.
	MaxPending int
	// MaxConsumers bounds the consumers of one connection; 16384.
	MaxConsumers int
	// ChannelMax is the most channels of one connection; 2047.
	ChannelMax uint16
	// FrameMax is the largest frame in octets, 4096 or more; 131072.
	FrameMax uint32
	// Heartbeat is what is offered to clients, in whole seconds; 60 s.
	Heartbeat time.Duration
	// HandshakeTimeout bounds the time to connection.open; 10 s.
	HandshakeTimeout time.Duration
	// WriteTimeout bounds the time a client may leave its side full; 60 s.
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for the answer to connection.close; 10 s.
	CloseTimeout time.Duration
	// ConsumerTimeout is how long a delivery may stay unsettled before its channel is
	// closed, where neither its queue nor a policy says; 30 min, negative: for ever.
	ConsumerTimeout time.Duration
	// RefusalDelay is the time before a failed login is answered; 1 s.
	RefusalDelay time.Duration
}

// Server serves connections. It is safe for concurrent use.
type Server struct {
	cfg        Config
	properties wire.Table
	replies    replies
	roster     roster
	pool       buffer.Pool

	lateInterval time.Duration
}

// New makes a Server. Errors name the setting that is out of its bounds.
func New(cfg Config) (*Server, error) {
	if cfg.Engine == nil {
		return nil, fmt.Errorf("amqp091: no engine")
	}
	cfg.fill()
	switch {
	case cfg.FrameMax < wire.FrameMinSize || cfg.FrameMax > 1<<24:
		return nil, fmt.Errorf("amqp091: frame_max %d: not from %d to %d",
			cfg.FrameMax, wire.FrameMinSize, 1<<24)
	case cfg.Heartbeat < time.Second || cfg.Heartbeat > 65535*time.Second:
		return nil, fmt.Errorf("amqp091: heartbeat %v: not from 1s to 65535s", cfg.Heartbeat)
	case cfg.MaxMessage < 0 || cfg.MaxMessage > hugeBody:
		return nil, fmt.Errorf("amqp091: largest message %d: not up to %d",
			cfg.MaxMessage, hugeBody)
	}
	cfg.MaxPending = max(cfg.MaxPending, cfg.MaxMessage)
	return &Server{
		cfg: cfg, properties: serverProperties(&cfg), lateInterval: lateInterval,
	}, nil
}

func (cfg *Config) fill() {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	setDefault(&cfg.Product, "RabbitMQ")
	setDefault(&cfg.Version, "4.1.0")
	setDefault(&cfg.Cluster, "coffer")
	setDefault(&cfg.MaxMessage, defaultMaxMessage)
	setDefault(&cfg.MaxPending, defaultMaxPending)
	setDefault(&cfg.MaxConsumers, defaultMaxConsumers)
	setDefault(&cfg.ChannelMax, defaultChannelMax)
	setDefault(&cfg.FrameMax, wire.DefaultFrameMax)
	setDefault(&cfg.Heartbeat, defaultHeartbeat)
	setDefault(&cfg.HandshakeTimeout, defaultHandshakeTimeout)
	setDefault(&cfg.WriteTimeout, defaultWriteTimeout)
	setDefault(&cfg.CloseTimeout, defaultCloseTimeout)
	setDefault(&cfg.ConsumerTimeout, defaultConsumerTimeout)
	setDefault(&cfg.RefusalDelay, defaultRefusalDelay)
}

func setDefault[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}

// serverProperties are what connection.start tells. A capability is named only
// when it is there, since clients change their ways by it.
func serverProperties(cfg *Config) wire.Table {
	yes := wire.BoolValue(true)
	capabilities := wire.Table{
		{Name: "publisher_confirms", Value: yes},
		{Name: "exchange_exchange_bindings", Value: yes},
		{Name: "basic.nack", Value: yes},
		{Name: "consumer_cancel_notify", Value: yes},
		{Name: "connection.blocked", Value: yes},
		{Name: "authentication_failure_close", Value: yes},
		{Name: "consumer_priorities", Value: yes},
		{Name: "per_consumer_qos", Value: yes},
		{Name: "direct_reply_to", Value: yes},
		{Name: "consumer_priorities", Value: yes},
	}
	return wire.Table{
		{Name: "capabilities", Value: wire.TableValue(capabilities)},
		{Name: clusterProperty, Value: wire.StringValue(cfg.Cluster)},
		{Name: "copyright", Value: wire.StringValue("Licensed under the Apache License 2.0")},
		{Name: "information", Value: wire.StringValue("Coffer, compatible with RabbitMQ 4")},
		{Name: "platform", Value: wire.StringValue("Go")},
		{Name: "product", Value: wire.StringValue(cfg.Product)},
		{Name: "version", Value: wire.StringValue(cfg.Version)},
	}
}

// introduction is what connection.start tells this client.
func (c *conn) introduction() wire.Table {
	k, ok := c.engine.(ClusterNamer)
	if !ok || k.ClusterName() == "" {
		return c.srv.properties
	}
	t := slices.Clone(c.srv.properties)
	for i := range t {
		if t[i].Name == clusterProperty {
			t[i].Value = wire.StringValue(k.ClusterName())
		}
	}
	return t
}

// clusterProperty names the server property with the name of the cluster.
const clusterProperty = "cluster_name"

// Serve runs one connection and returns when it is over; it closes conn. When
// ctx ends, the client is told, and has Config.CloseTimeout to answer. It may be
// called by many goroutines.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	c := newConn(s, conn)
	c.serve(ctx)
}
