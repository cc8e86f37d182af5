package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/keyring"
	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/rabbitmq"
	"coffer/internal/tlsx"
)

// open loads a broker and opens the doors of its protocols. A rebooted broker
// keeps its port.
func (f *fleet) open(b *instance, domain *keyring.Domain) error {
	rabbit, err := f.n.rabbit.Open(f.ctx, b.run.ID, domain)
	if err != nil {
		return err
	}
	server, err := amqp091.New(amqp091.Config{
		Engine: amqpEngine{rabbit}, Logger: f.n.log, Events: f.n.clients,
		Cluster: "b-" + b.run.ID.String(),
	})
	if err != nil {
		return err
	}
	port, err := f.port(f.ctx, b.run.ID)
	if err != nil {
		return fmt.Errorf("broker b-%s: %w", b.run.ID, err)
	}
	standard, flag := port == 0, "--broker-ports"
	if standard {
		port, flag = f.n.cfg.AMQPPort, "--amqp-port"
	}
	handler := listen.Handler(server.Serve)
	cfg := listen.Config{Name: "amqp", Port: port, Flag: flag, TLS: tlsx.Compatible.Server(f.n.certs)}
	if standard {
		handler = f.byServerName(server.Serve)
	}
	l, err := f.n.bindAgain(cfg, b.port)
	if err != nil {
		return err
	}
	go l.Serve(handler)
	f.mu.Lock()
	b.broker, b.serve, b.port = rabbit, server.Serve, l.Port()
	b.listeners = append(b.listeners, l)
	f.mu.Unlock()
	if standard && f.n.cfg.InsecureLoopback {
		return f.openPlain(b, server)
	}
	return nil
}

// openPlain opens the listener without TLS, for test suites on this machine.
func (f *fleet) openPlain(b *instance, server *amqp091.Server) error {
	l, err := f.n.bindAgain(listen.Config{
		Name: "amqp-plain", Address: "127.0.0.1", Port: f.n.cfg.AMQPPlainPort,
		Flag: "--amqp-plain-port",
	}, b.plain)
	if err != nil {
		return err
	}
	go l.Serve(server.Serve)
	f.n.log.Warn("INSECURE: a plaintext AMQP listener is open on loopback; "+
		"passwords and messages travel in clear", "port", l.Port())
	f.mu.Lock()
	b.plain = l.Port()
	b.listeners = append(b.listeners, l)
	f.mu.Unlock()
	return nil
}

// bindAgain opens a listener on the port it had before, if it had one.
func (n *Node) bindAgain(cfg listen.Config, before int) (*listen.Listener, error) {
	if before == 0 || !n.cfg.AutoPorts {
		return n.bind(cfg)
	}
	cfg.Port = before
	return n.bindAt(cfg)
}

// byServerName serves the standard port: a client that asks for
// <broker-id>.<hostname> reaches that broker, any other the port's own.
func (f *fleet) byServerName(own listen.Handler) listen.Handler {
	return func(ctx context.Context, conn net.Conn) {
		serve := own
		if t, ok := conn.(*tls.Conn); ok {
			if h := f.named(t.ConnectionState().ServerName); h != nil {
				serve = h
			}
		}
		serve(ctx, conn)
	}
}

func (f *fleet) named(server string) listen.Handler {
	name, ok := strings.CutSuffix(server, "."+f.n.cfg.Hostname)
	if !ok {
		return nil
	}
	id, err := uuid.Parse(strings.TrimPrefix(name, "b-"))
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.brokers[id]; b != nil {
		return b.serve
	}
	return nil
}

// amqpEngine fits a RabbitMQ broker to what the protocol asks of an engine.
type amqpEngine struct{ *rabbitmq.Broker }

var _ amqp091.Engine = amqpEngine{}

// Permit is [amqp091.Engine]'s.
func (e amqpEngine) Permit(
	user, vhost string, kind amqp091.Resource, name string, action amqp091.Action,
) error {
	return e.Broker.Permit(user, vhost, string(kind), name, string(action))
}

// Watch is [amqp091.Engine]'s: a broker's virtual hosts lock and open as one.
func (e amqpEngine) Watch(_ *broker.Namespace, fn func()) (stop func()) {
	return e.Broker.Watch(fn)
}
