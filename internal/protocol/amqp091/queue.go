package amqp091

import (
	"strconv"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// declareQueue answers queue.declare.
func (c *conn) declareQueue(ch *channel, m *wire.QueueDeclare) error {
	name := clean(m.Queue)
	var q *broker.Queue
	var err error
	switch {
	case name == directReplyTo:
		return refuse(wire.NotImplemented, "queue '%s' is not implemented", directReplyTo)
	case m.Passive:
		q, err = c.queue(name)
	default:
		q, err = c.declaredQueue(name, m)
	}
	if err != nil {
		return err
	}
	ch.lastQueue = q.Spec().Name
	if m.NoWait {
		return nil
	}
	ready, _, consumers := q.Counts()
	c.out.send(ch.number, &wire.QueueDeclareOk{
		Queue: ch.lastQueue, MessageCount: count(ready), ConsumerCount: count(consumers),
	})
	return nil
}

// count fits a number of messages into the field for it.
func count[T int | int64](n T) uint32 { return uint32(min(max(int64(n), 0), 1<<32-1)) }

// declaredQueue finds or makes the queue.
func (c *conn) declaredQueue(name string, m *wire.QueueDeclare) (*broker.Queue, error) {
	switch {
	case name == "":
		name = generate("amq.gen-")
	case strings.HasPrefix(name, reserved):
		return nil, refuse(wire.AccessRefused,
			"queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if err := c.permit(QueueResource, name, Configure); err != nil {
		return nil, err
	}
	owner := c.named(QueueResource, name)
	if err := checkQueueArguments(m.Arguments, owner); err != nil {
		return nil, err
	}
	// RabbitMQ's exclusive queues are never durable, whatever was asked for.
	want := broker.QueueSpec{
		Name: name, Durable: m.Durable && !m.Exclusive, Exclusive: m.Exclusive,
		AutoDelete: m.AutoDelete,
	}
	q, ok := c.namespace.Topology().Queue(name)
	if !ok {
		var err error
		if want.Arguments, err = encodeTable(m.Arguments); err != nil {
			return nil, err
		}
		if q, _, err = c.namespace.DeclareQueue(c.ctx, c.session, want); err != nil {
			return nil, err
		}
	}
	have := q.Spec()
	if have.Exclusive != want.Exclusive || have.Exclusive && q.Owner() != c.session {
		return nil, c.locked(name)
	}
	err := equal("durable", owner, want.Durable, have.Durable, strconv.FormatBool)
	if err == nil {
		err = equal("auto_delete", owner, want.AutoDelete, have.AutoDelete, strconv.FormatBool)
	}
	return q, err
}

// deleteQueue answers queue.delete; a missing queue is deleted already.
func (c *conn) deleteQueue(ch *channel, m *wire.QueueDelete) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	if err := c.permit(QueueResource, name, Configure); err != nil {
		return err
	}
	messages := 0
	if _, ok := c.namespace.Topology().Queue(name); ok {
		q, err := c.queue(name)
		if err != nil {
			return err
		}
		messages, err = c.namespace.DeleteQueue(c.ctx, q, m.IfUnused, m.IfEmpty)
		if fault.KindOf(err) == fault.Conflict {
			what := "not empty"
			if _, _, consumers := q.Counts(); m.IfUnused && (consumers > 0 || !m.IfEmpty) {
				what = "in use"
			}
			return refuse(wire.PreconditionFailed, "%s %s", c.named(QueueResource, name), what)
		}
		if err := ignoreGone(err); err != nil {
			return err
		}
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.QueueDeleteOk{MessageCount: count(messages)})
	}
	return nil
}

// purgeQueue answers queue.purge.
func (c *conn) purgeQueue(ch *channel, m *wire.QueuePurge) error {
	name, err := ch.queueName(m.Queue)
	if err == nil {
		err = c.permit(QueueResource, name, Read)
	}
	if err != nil {
		return err
	}
	q, err := c.queue(name)
	if err != nil {
		return err
	}
	messages, err := c.namespace.PurgeQueue(c.ctx, q)
	if err != nil {
		return c.about(name, err)
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.QueuePurgeOk{MessageCount: count(messages)})
	}
	return nil
}
