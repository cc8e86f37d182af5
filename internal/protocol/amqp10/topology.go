package amqp10

import (
	"context"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// Topology changes the exchanges, queues and bindings of a virtual host for one client,
// by the rules that AMQP 0-9-1 has for them. Arguments are encoded as that keeps them.
// Errors: fault.NotFound, fault.Denied, fault.Conflict when there is another thing of
// the name, fault.Invalid.
type Topology interface {
	DeclareQueue(s broker.QueueSpec) (*broker.Queue, error)
	// EmptyQueue purges or removes a queue and gives the number of messages it had.
	EmptyQueue(name string, remove bool) (messages int, err error)
	DeclareExchange(x broker.Address, kind string) error
	DeleteExchange(name string) error
	// Bind makes or removes a binding.
	Bind(b broker.Binding, remove bool) error
}

// Doorkeeper is an [Engine] that counts who is in, and may have enough of them.
type Doorkeeper interface {
	// Admit counts a connection until leave is called. Until then end may be called, from
	// any goroutine, when the connection must go, with the reason for the client; it does
	// not block. Errors: fault.Exhausted with RabbitMQ's text when there are too many.
	Admit(user, vhost string, end func(reason string)) (leave func(), err error)
}

// TopicKeeper is an [Engine] that permits keys of topic exchanges.
type TopicKeeper interface {
	// KeepsTopics reports whether the user's keys are looked at for that exchange. It
	// answers from memory.
	KeepsTopics(user, vhost, exchange string) bool
	// PermitTopic is nil when the user may publish (write) with the key, or bind (read)
	// with it; else fault.Denied. It answers from memory.
	PermitTopic(user, vhost, exchange, key, action, client string) error
}

// admit counts the connection, and enters its virtual host.
func (c *conn) admit(ctx context.Context) (*broker.Namespace, error) {
	left := func() {}
	if k, ok := c.srv.cfg.Engine.(Doorkeeper); ok {
		leave, err := k.Admit(c.client.User, c.client.VHost, func(reason string) {
			c.fail(refuse(ConnectionScope, wire.ConnectionErrorConnectionForced, "%s", reason))
		})
		if err != nil {
			return nil, err
		}
		left = leave
	}
	n, err := c.srv.cfg.Engine.Open(ctx, c.client.User, c.client.VHost)
	if err == nil {
		err = predeclare(ctx, n)
	}
	if err != nil {
		left()
		return nil, err
	}
	c.left = left
	return n, nil
}

// mayUseKey checks the key of a message for a topic exchange. Whether keys are looked at
// is good until the next read.
func (c *conn) mayUseKey(r *route) error {
	if r.keysRound != c.round {
		k, ok := c.srv.cfg.Engine.(TopicKeeper)
		r.keysKept = ok && r.exchange != "" &&
			k.KeepsTopics(c.client.User, c.client.VHost, r.exchange)
		r.keysRound = c.round
	}
	if !r.keysKept {
		return nil
	}
	return c.permitTopic(r.exchange, r.key, write)
}

// permitTopic asks the engine about a key if the exchange is one of topics.
func (c *conn) permitTopic(exchange, key, action string) error {
	x, ok := c.namespace.Topology().Address(exchange)
	k, keeps := c.srv.cfg.Engine.(TopicKeeper)
	if !ok || x.Kind != broker.Pattern || !keeps {
		return nil
	}
	err := k.PermitTopic(c.client.User, c.client.VHost, exchange, key, action, "")
	if fault.KindOf(err) == fault.Denied {
		return refuse(SessionScope, wire.AmqpErrorUnauthorizedAccess,
			"%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
			action, key, exchange, c.client.VHost, c.client.User)
	}
	return err
}
