package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/keyring"
	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp10"
	"coffer/internal/rabbitmq"
)

// errOwnPort is the failure of one broker alone: it is shown as failed until the
// next start of the process.
var errOwnPort = errors.New("the broker's own port cannot be opened")

// openDoors opens the ports that brokers share.
func (f *fleet) openDoors() error {
	var err error
	f.door, err = f.n.listen(listen.Config{
		Name: "amqp", Port: f.n.cfg.AMQPPort, Flag: "--amqp-port",
		TLS: f.n.amqpTLS(),
	})
	if err != nil {
		return err
	}
	f.n.serve(f.door, f.byServerName)
	if err := f.openManagement(); err != nil {
		return err
	}
	if !f.n.cfg.InsecureLoopback {
		return nil
	}
	f.plainDoor, err = f.n.listen(listen.Config{
		Name: "amqp-plain", Address: "127.0.0.1", Port: f.n.cfg.AMQPPlainPort,
		Flag: "--amqp-plain-port",
	})
	if err != nil {
		return err
	}
	f.n.serve(f.plainDoor, f.byServerName)
	f.n.log.Warn("INSECURE: a plaintext AMQP listener is open on loopback; "+
		"passwords and messages travel in clear", "port", f.plainDoor.Port())
	return nil
}

// byServerName serves the standard port: a client that asks for
// <broker-id>.<hostname> reaches that broker or, when there is none, nothing: it
// must not give its password to another. Any other client reaches the broker
// that the port is assigned to.
func (f *fleet) byServerName(ctx context.Context, conn net.Conn) {
	var id uuid.UUID
	asked := false
	if t, ok := conn.(*tls.Conn); ok {
		id, asked = f.named(t.ConnectionState().ServerName)
	}
	f.mu.Lock()
	b := f.brokers[id]
	if !asked {
		b = f.standard()
	}
	f.mu.Unlock()
	if b != nil {
		f.enter(ctx, b, conn)
	}
}

// named gives the broker that a server name asks for, if it asks for one.
func (f *fleet) named(server string) (id uuid.UUID, asked bool) {
	name, ok := strings.CutSuffix(strings.ToLower(server), "."+strings.ToLower(f.n.cfg.Hostname))
	if !ok {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(strings.TrimPrefix(name, "b-"))
	return id, err == nil
}

// enter hands a connection to a broker. One that is not running serves none.
func (f *fleet) enter(ctx context.Context, b *instance, conn net.Conn) {
	f.mu.Lock()
	v := b.visits
	f.mu.Unlock()
	if v != nil {
		v.handle(ctx, conn)
	}
}

// open loads a broker and lets clients in. A rebooted broker keeps its port.
func (f *fleet) open(b *instance, domain *keyring.Domain) error {
	rabbit, err := b.broker, error(nil)
	if rabbit == nil {
		sealer := broker.Domain(domain)
		if g := f.n.cfg.gauge; g != nil {
			sealer = g.sealer(domain)
		}
		if rabbit, err = f.n.rabbit.Open(f.ctx, b.run.ID, sealer); err != nil {
			return err
		}
	}
	server, err := amqp091.New(amqp091.Config{
		Engine: amqpEngine{rabbit}, Space: f.n.engine, Logger: f.n.log, Events: f.n.clients,
		Tracer: f.n.tracer, Cluster: "b-" + b.run.ID.String(),
		MaxMessage:      f.n.cfg.maxMessageBytes,
		ConsumerTimeout: cmp.Or(b.settings.ConsumerTimeout, f.n.cfg.ConsumerTimeout),
		Heartbeat:       b.settings.Heartbeat,
	})
	if err != nil {
		return err
	}
	server10, err := amqp10.New(amqp10.Config{
		Engine: amqp10Engine{rabbit}, Space: f.n.engine, Logger: f.n.log,
		Events: events10(f.n.clients, f.n.log),
		Lead:   amqp091.Lead, Topology: topology10(server), Tracer: f.n.tracer,
		Cluster: "b-" + b.run.ID.String(), MaxMessage: f.n.cfg.maxMessageBytes,
	})
	if err != nil {
		return err
	}
	port, err := f.port(f.ctx, b.run.ID)
	if err != nil {
		return fmt.Errorf("broker b-%s: %w", b.run.ID, err)
	}
	own := b.own
	if port != 0 && own == nil {
		own, err = f.n.bind(listen.Config{
			Name: "amqp", Port: port, Flag: "--broker-ports",
			TLS: f.n.amqpTLS(),
		})
		if err != nil {
			return fmt.Errorf("%w: %w", errOwnPort, err)
		}
		f.n.serve(own, func(ctx context.Context, conn net.Conn) { f.enter(ctx, b, conn) })
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b.broker, b.own, b.standard = rabbit, own, port == 0
	doors := &amqpDoors{server, server10}
	b.doors, b.visits = doors, newVisits(doors.serve)
	b.links = f.openLinks(rabbit, server)
	b.figures = f.newFigures(b.run.ID, rabbit, doors)
	b.management = f.newManagement(b.run.ID, rabbit, doors, b.links, b.figures)
	return nil
}

// amqpEngine fits a RabbitMQ broker to what the protocol asks of an engine.
type amqpEngine struct{ *rabbitmq.Broker }

var (
	_ amqp091.Engine       = amqpEngine{}
	_ amqp091.Impersonator = amqpEngine{}
	_ amqp091.Certifier    = amqpEngine{}
	_ amqp091.ClusterNamer = amqpEngine{}
	_ amqp091.Doorkeeper   = amqpEngine{}
	_ amqp091.Policer      = amqpEngine{}
	_ amqp091.Timer        = amqpEngine{}
	_ amqp091.TopicKeeper  = amqpEngine{}
)

// Permit is [amqp091.Engine]'s.
func (e amqpEngine) Permit(
	user, vhost string, kind amqp091.Resource, name string, action amqp091.Action,
) error {
	return e.Broker.Permit(user, vhost, string(kind), name, string(action))
}

// PermitTopic is [amqp091.TopicKeeper]'s. Clients of AMQP 0-9-1 have no client id.
func (e amqpEngine) PermitTopic(user, vhost, exchange, key string, action amqp091.Action) error {
	return e.Broker.PermitTopic(user, vhost, exchange, key, string(action), "")
}

// Watch is [amqp091.Engine]'s: a broker's virtual hosts lock and open as one.
func (e amqpEngine) Watch(_ *broker.Namespace, fn func()) (stop func()) {
	return e.Broker.Watch(fn)
}

// dialect fits what the protocol knows of arguments to what RabbitMQ brokers ask.
type dialect struct{ amqp091.Dialect }

var (
	_ rabbitmq.Dialect  = dialect{}
	_ rabbitmq.Declarer = dialect{}
)

// Shape is [rabbitmq.Dialect]'s.
func (d dialect) Shape(arguments []byte) rabbitmq.Shape {
	var s rabbitmq.Shape
	s.Kind, s.Limits, s.Overflow, s.Deliveries = d.Dialect.Shape(arguments)
	return s
}

// Queue is [rabbitmq.Declarer]'s.
func (d dialect) Queue(vhost string, q rabbitmq.DefinedQueue) (broker.QueueSpec, error) {
	return d.Dialect.Queue(vhost, q.Name, q.Durable, q.AutoDelete, q.Arguments)
}

// Exchange is [rabbitmq.Declarer]'s.
func (d dialect) Exchange(vhost string, x rabbitmq.DefinedExchange) (broker.Address, error) {
	a := broker.Address{
		Name: x.Name, Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal,
	}
	return d.Dialect.Exchange(a, vhost, x.Type, x.Arguments)
}

// Binding is [rabbitmq.Declarer]'s.
func (d dialect) Binding(b rabbitmq.DefinedBinding, source broker.AddressKind) (
	broker.Binding, error,
) {
	to := broker.Binding{Source: b.Source, Key: b.RoutingKey}
	if b.DestinationType == "exchange" {
		to.Address = b.Destination
	} else {
		to.Queue = b.Destination
	}
	return d.Dialect.Binding(to, source, b.Arguments)
}
