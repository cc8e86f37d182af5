package amqp091

import (
	"errors"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// bind answers queue.bind.
func (c *conn) bind(ch *channel, m *wire.QueueBind) error {
	b, err := c.queueBinding(ch, m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if err := c.bound(&b, m.Arguments); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.QueueBindOk{})
	}
	return nil
}

// bindExchange answers exchange.bind.
func (c *conn) bindExchange(ch *channel, m *wire.ExchangeBind) error {
	b := broker.Binding{
		Source: clean(m.Source), Address: clean(m.Destination), Key: m.RoutingKey,
	}
	if err := c.binding(&b, m.Arguments); err != nil {
		return err
	}
	if err := c.bound(&b, m.Arguments); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.ExchangeBindOk{})
	}
	return nil
}

// bound makes a binding whose permissions were checked.
func (c *conn) bound(b *broker.Binding, arguments wire.Table) error {
	source, ok := c.namespace.Topology().Address(b.Source)
	if !ok {
		return c.missing(ExchangeResource, b.Source)
	}
	if b.Address == "" {
		if _, err := c.queue(b.Queue); err != nil {
			return err
		}
	} else if _, ok := c.namespace.Topology().Address(b.Address); !ok {
		return c.missing(ExchangeResource, b.Address)
	}
	var err error
	switch source.Kind {
	case broker.Matched:
		err = checkCriteria(arguments)
	case broker.Hashed:
		err = checkWeight(b.Key)
	case broker.Drawn:
		err = c.checkDrawn(b)
	}
	if err != nil {
		return err
	}
	return c.namespace.Bind(c.ctx, *b)
}

// checkDrawn refuses what RabbitMQ does not bind to an exchange of type x-local-random.
func (c *conn) checkDrawn(b *broker.Binding) error {
	if b.Key != "" {
		return refuse(wire.PreconditionFailed, "Non empty binding '%s' key not permitted", b.Key)
	}
	q, ok := c.namespace.Topology().Queue(b.Queue)
	switch {
	case b.Address != "" || !ok:
		return refuse(wire.PreconditionFailed, "Destination not found")
	case isQuorum(q):
		return refuse(wire.PreconditionFailed,
			"Queue type %s not valid for this exchange type", quorumModule)
	}
	return nil
}

// unbind answers queue.unbind; what is not bound is unbound already.
func (c *conn) unbind(ch *channel, m *wire.QueueUnbind) error {
	b, err := c.queueBinding(ch, m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if _, err := c.queue(b.Queue); err != nil {
		// RabbitMQ does not look at the queue of a binding that is not there.
		if bound, gone := c.namespace.Bound(c.ctx, b); bound || gone != nil {
			return errors.Join(gone, err)
		}
	}
	if err := ignoreGone(c.namespace.Unbind(c.ctx, b)); err != nil {
		return err
	}
	c.out.send(ch.number, &wire.QueueUnbindOk{})
	return nil
}

// unbindExchange answers exchange.unbind.
func (c *conn) unbindExchange(ch *channel, m *wire.ExchangeUnbind) error {
	b := broker.Binding{
		Source: clean(m.Source), Address: clean(m.Destination), Key: m.RoutingKey,
	}
	if err := c.binding(&b, m.Arguments); err != nil {
		return err
	}
	if err := ignoreGone(c.namespace.Unbind(c.ctx, b)); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.ExchangeUnbindOk{})
	}
	return nil
}

// queueBinding fills in the names that may be left out.
func (c *conn) queueBinding(ch *channel, queue, exchange, key string, arguments wire.Table) (
	b broker.Binding, err error,
) {
	b.Source, b.Key = clean(exchange), key
	if b.Queue, err = ch.queueName(queue); err != nil {
		return b, err
	}
	b.Queue = clean(b.Queue)
	if queue == "" && key == "" {
		b.Key = b.Queue
	}
	return b, c.binding(&b, arguments)
}

// binding checks the permissions and keeps the arguments.
func (c *conn) binding(b *broker.Binding, arguments wire.Table) error {
	var err error
	if b.Queue != "" {
		err = c.permit(QueueResource, b.Queue, Write)
	} else if err = c.permit(ExchangeResource, b.Address, Write); err == nil {
		err = notDefault(b.Address)
	}
	if err == nil {
		err = notDefault(b.Source)
	}
	if err == nil {
		err = c.permit(ExchangeResource, b.Source, Read)
	}
	if err == nil {
		err = c.mayBind(b)
	}
	if err == nil {
		b.Arguments, err = encodeTable(sorted(arguments))
	}
	return err
}
