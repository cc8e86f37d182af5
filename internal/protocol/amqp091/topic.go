package amqp091

import (
	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// TopicKeeper is an [Engine] that permits keys of topic exchanges.
type TopicKeeper interface {
	// KeepsTopics reports whether the user's keys are looked at for that exchange. It
	// answers from memory.
	KeepsTopics(user, vhost, exchange string) bool
	// PermitTopic is nil when the user may publish (Write) with the key, or bind (Read)
	// with it; else fault.Denied. It answers from memory.
	PermitTopic(user, vhost, exchange, key string, action Action) error
}

// mayUseKey checks the key of a message for a topic exchange.
func (c *conn) mayUseKey(r *route) error {
	if r.keysRound != c.round {
		k, ok := c.engine.(TopicKeeper)
		r.keysKept = ok && k.KeepsTopics(c.client.User, c.client.VHost, r.exchange)
		r.keysRound = c.round
	}
	if !r.keysKept {
		return nil
	}
	return c.permitTopic(r.exchange, r.key, Write)
}

// mayUseCopies checks the further keys of the message in hand.
func (c *conn) mayUseCopies(r *route) error {
	if !r.topic || !r.keysKept {
		return nil
	}
	for _, key := range c.also {
		if err := c.permitTopic(r.exchange, key, Write); err != nil {
			return err
		}
	}
	return nil
}

// mayBind checks the key of a binding if the source is a topic exchange.
func (c *conn) mayBind(b *broker.Binding) error {
	x, ok := c.namespace.Topology().Address(b.Source)
	if !ok || x.Kind != broker.Pattern {
		return nil
	}
	return c.permitTopic(b.Source, b.Key, Read)
}

func (c *conn) permitTopic(exchange, key string, action Action) error {
	k, ok := c.engine.(TopicKeeper)
	if !ok {
		return nil
	}
	err := k.PermitTopic(c.client.User, c.client.VHost, exchange, key, action)
	if fault.KindOf(err) == fault.Denied {
		return refuse(wire.AccessRefused,
			"%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
			action, key, exchange, c.client.VHost, c.client.User)
	}
	return err
}
