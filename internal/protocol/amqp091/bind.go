package amqp091

import (
	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// bind answers queue.bind.
func (c *conn) bind(ch *channel, m *wire.QueueBind) error {
	b, err := c.binding(ch, m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if _, err := c.queue(b.Queue); err != nil {
		return err
	}
	if _, ok := c.namespace.Topology().Address(b.Source); !ok {
		return c.missing(ExchangeResource, b.Source)
	}
	if err := c.namespace.Bind(c.ctx, b); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.QueueBindOk{})
	}
	return nil
}

// unbind answers queue.unbind; what is not bound is unbound already.
func (c *conn) unbind(ch *channel, m *wire.QueueUnbind) error {
	b, err := c.binding(ch, m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if _, ok := c.namespace.Topology().Queue(b.Queue); ok {
		if _, err := c.queue(b.Queue); err != nil {
			return err
		}
	}
	if err := ignoreGone(c.namespace.Unbind(c.ctx, b)); err != nil {
		return err
	}
	c.out.send(ch.number, &wire.QueueUnbindOk{})
	return nil
}

// binding fills in the names that may be left out, and checks the permissions.
func (c *conn) binding(ch *channel, queue, exchange, key string, arguments wire.Table) (
	b broker.Binding, err error,
) {
	b.Source, b.Key = clean(exchange), key
	if b.Queue, err = ch.queueName(queue); err != nil {
		return b, err
	}
	if queue == "" && key == "" {
		b.Key = b.Queue
	}
	if err = c.permit(QueueResource, b.Queue, Write); err != nil {
		return b, err
	}
	if err = notDefault(b.Source); err != nil {
		return b, err
	}
	if err = c.permit(ExchangeResource, b.Source, Read); err != nil {
		return b, err
	}
	b.Arguments, err = encodeTable(arguments)
	return b, err
}
