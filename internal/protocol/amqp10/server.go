package amqp10

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/buffer"
	"coffer/internal/telemetry/trace"
)

// Kinds of things that a user needs a permission for, and RabbitMQ's permissions.
const (
	kindExchange = "exchange"
	kindQueue    = "queue"

	configure = "configure"
	write     = "write"
	read      = "read"
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
	// Permit is nil when the user may do the action (configure, write, read) with
	// an exchange or queue; else fault.Denied. The default exchange is called
	// amq.default. It answers from memory.
	Permit(user, vhost, kind, name, action string) error
	// Watch calls fn after each change of n.Locked until stop is called. fn does
	// not block and may still run once while stop does.
	Watch(n *broker.Namespace, fn func()) (stop func())
}

// Defaults of Config.
const (
	defaultMaxMessage       = 16 << 20
	defaultMaxPending       = 64 << 20
	defaultChannelMax       = 255
	defaultHandleMax        = 255
	defaultMaxReceivers     = 16384
	defaultFrameMax         = 131072
	defaultIdleTimeout      = 60 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
	defaultWriteTimeout     = 60 * time.Second
	defaultCloseTimeout     = 10 * time.Second
	defaultRefusalDelay     = time.Second
)

// Config tunes a Server; zero fields but Engine get the default named.
type Config struct {
	Engine Engine       // needed
	Space  Space        // nil: there always is room
	Logger *slog.Logger // for what is our fault; default slog.Default
	Events Events       // default: nobody is told
	// Tracer traces messages from their transfer to their outcome, as far as there is to
	// be one, and deliveries until they are settled; nil: none.
	Tracer *trace.Tracer

	// Lead gives what leads a message beside its routing key: it is asked when an
	// exchange wants to know. Default: nothing.
	Lead func(broker.Content, *broker.History) broker.Guide
	// Topology gives what changes a virtual host for a client within its session, until
	// ctx ends. Default: the management node is not there, and queues that addresses of
	// the first version name are classic ones.
	Topology func(ctx context.Context, client Client, s *broker.Session) Topology

	Product string // property "product" of open; default Coffer
	Version string // property "version"; default 4.1.0, RabbitMQ's that is followed
	Cluster string // property "cluster_name", and the container id; default coffer

	// MaxMessage bounds an encoded message in octets; 16 MiB. The broker's bound
	// should be some KiB higher.
	MaxMessage int
	// MaxPending bounds the octets of incomplete messages of one connection, which
	// may be on many links; 64 MiB, and at least MaxMessage.
	MaxPending int
	ChannelMax uint16 // the highest number of a session; 255 (RabbitMQ has 63)
	HandleMax  uint32 // the highest handle of a link in its session; 255, as RabbitMQ's
	FrameMax   uint32 // the largest frame in octets, 512 or more; 131072
	// MaxReceivers bounds the links of one connection on which it receives; 16384.
	MaxReceivers int
	// IdleTimeout is how long a client may be silent; 60 s. It is told half of that.
	IdleTimeout time.Duration
	// HandshakeTimeout bounds the time to open; 10 s.
	HandshakeTimeout time.Duration
	// WriteTimeout bounds the time a client may leave its side full; 60 s.
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for the answer to close; 10 s.
	CloseTimeout time.Duration
	// RefusalDelay is the time before a failed login is answered; 1 s.
	RefusalDelay time.Duration
}

// Server serves connections. It is safe for concurrent use.
type Server struct {
	cfg    Config
	roster roster
	pool   buffer.Pool
}

// New makes a Server. Errors name the setting that is out of its bounds.
func New(cfg Config) (*Server, error) {
	if cfg.Engine == nil {
		return nil, fmt.Errorf("amqp10: no engine")
	}
	cfg.fill()
	switch {
	case cfg.FrameMax < wire.MinFrameSize || cfg.FrameMax > 1<<24:
		return nil, fmt.Errorf("amqp10: max-frame-size %d: not from %d to %d",
			cfg.FrameMax, wire.MinFrameSize, 1<<24)
	case cfg.IdleTimeout < time.Second || cfg.IdleTimeout > 24*time.Hour:
		return nil, fmt.Errorf("amqp10: idle timeout %v: not from 1s to 24h", cfg.IdleTimeout)
	case cfg.MaxMessage < 0:
		return nil, fmt.Errorf("amqp10: largest message %d", cfg.MaxMessage)
	}
	cfg.MaxPending = max(cfg.MaxPending, cfg.MaxMessage)
	return &Server{cfg: cfg}, nil
}

func (cfg *Config) fill() {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	setDefault(&cfg.Product, "Coffer")
	setDefault(&cfg.Version, "4.1.0")
	setDefault(&cfg.Cluster, "coffer")
	setDefault(&cfg.MaxMessage, defaultMaxMessage)
	setDefault(&cfg.MaxPending, defaultMaxPending)
	setDefault(&cfg.ChannelMax, defaultChannelMax)
	setDefault(&cfg.HandleMax, defaultHandleMax)
	setDefault(&cfg.MaxReceivers, defaultMaxReceivers)
	setDefault(&cfg.FrameMax, defaultFrameMax)
	setDefault(&cfg.IdleTimeout, defaultIdleTimeout)
	setDefault(&cfg.HandshakeTimeout, defaultHandshakeTimeout)
	setDefault(&cfg.WriteTimeout, defaultWriteTimeout)
	setDefault(&cfg.CloseTimeout, defaultCloseTimeout)
	setDefault(&cfg.RefusalDelay, defaultRefusalDelay)
}

func setDefault[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}

// Serve runs one connection and returns when it is over; it closes conn. When
// ctx ends, the client is told, and has Config.CloseTimeout to answer. It may be
// called by many goroutines.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	c := newConn(s, conn)
	c.serve(ctx)
}
