package amqp091

import (
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
	case strings.HasPrefix(name, directReplyTo):
		return c.declareReplies(ch, name, m.NoWait)
	case m.Passive:
		q, err = c.queue(name)
	default:
		q, err = c.declaredQueue(name, m)
	}
	if err != nil {
		return err
	}
	if !m.Passive {
		c.srv.roster.declared.Add(1)
	}
	ch.lastQueue = q.Spec().Name
	if m.NoWait {
		return nil
	}
	ready, consumers, err := c.session.Depth(c.ctx, q)
	if err != nil {
		return err
	}
	c.out.send(ch.number, &wire.QueueDeclareOk{
		Queue: ch.lastQueue, MessageCount: count(ready), ConsumerCount: count(consumers),
	})
	return nil
}

// count fits a number of messages into the field for it.
func count[T int | int64](n T) uint32 { return uint32(min(max(int64(n), 0), 1<<32-1)) }

// declaredQueue finds or makes the queue.
func (c *conn) declaredQueue(name string, m *wire.QueueDeclare) (*broker.Queue, error) {
	arguments := c.typed(m.Arguments, m)
	switch {
	case name == "" && kindOfQueue(arguments) == quorum:
		return nil, refuse(wire.PreconditionFailed,
			"Cannot declare a server-named queue for type %s", quorumModule)
	case name == "":
		name = generate("amq.gen-")
	case strings.HasPrefix(name, reserved):
		return nil, refuse(wire.AccessRefused,
			"queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if err := c.permit(QueueResource, name, Configure); err != nil {
		return nil, err
	}
	// RabbitMQ's exclusive queues are never durable, whatever was asked for.
	want := broker.QueueSpec{
		Name: name, Durable: m.Durable && !m.Exclusive, Exclusive: m.Exclusive,
		AutoDelete: m.AutoDelete,
	}
	q, ok := c.namespace.Topology().Queue(name)
	if !ok {
		if err := c.fillQueue(&want, arguments); err != nil {
			return nil, err
		}
		var created bool
		var err error
		q, created, err = c.namespace.DeclareQueue(c.ctx, c.session, want)
		if most := c.namespace.Quota().MaxQueues; most.Set && fault.KindOf(err) == fault.Exhausted {
			return nil, refuse(wire.PreconditionFailed,
				"cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached",
				name, c.client.VHost, most.N)
		}
		if err != nil {
			return nil, err
		}
		if created {
			return q, c.conform(q)
		}
	}
	return q, c.sameQueue(q, &want, arguments)
}

// fillQueue checks what a new queue is to be, in RabbitMQ's order, and completes it.
func (c *conn) fillQueue(want *broker.QueueSpec, t wire.Table) error {
	if v, ok := t.Get(argDeadExchange); ok {
		x, text := v.Text()
		if !text {
			return refuse(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
				typeName(v), argDeadExchange, c.named(QueueResource, want.Name))
		}
		if err := c.permit(QueueResource, want.Name, Read); err != nil {
			return err
		}
		if err := c.permit(ExchangeResource, x, Write); err != nil {
			return err
		}
	}
	owner := c.named(QueueResource, want.Name)
	if err := checkQueueArguments(t, owner); err != nil {
		return err
	}
	if kindOfQueue(t) == quorum {
		if err := checkQuorum(want, owner); err != nil {
			return err
		}
	}
	shape(want, t)
	var err error
	want.Arguments, err = encodeTable(t)
	if k, ok := c.engine.(Policer); ok && err == nil {
		want.Limits = k.Limit(c.client.VHost, want.Name, want.Arguments)
	}
	return err
}

// checkQuorum refuses what a quorum queue cannot be.
func checkQuorum(want *broker.QueueSpec, owner string) error {
	wrong := ""
	switch {
	case want.AutoDelete:
		wrong = "auto-delete"
	case want.Exclusive:
		wrong = "exclusive-owner"
	case !want.Durable:
		wrong = "non-durable"
	}
	if wrong != "" {
		return refuse(wire.PreconditionFailed, "invalid property '%s' for %s", wrong, owner)
	}
	return nil
}

// deleteQueue answers queue.delete; a missing queue is deleted already.
func (c *conn) deleteQueue(ch *channel, m *wire.QueueDelete) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	name = clean(name)
	if err := c.permit(QueueResource, name, Configure); err != nil {
		return err
	}
	messages := 0
	if _, ok := c.namespace.Topology().Queue(name); ok {
		q, err := c.queue(name)
		if err != nil {
			return err
		}
		if err := c.mayDelete(q, m); err != nil {
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

// mayDelete refuses conditions that RabbitMQ does not know of quorum queues.
func (c *conn) mayDelete(q *broker.Queue, m *wire.QueueDelete) error {
	flag := ""
	switch {
	case m.IfUnused:
		flag = "if-unused"
	case m.IfEmpty:
		flag = "if-empty"
	}
	if flag == "" || !isQuorum(q) {
		return nil
	}
	return refuse(wire.NotImplemented, "cannot delete %s. queue.delete operations with %s flag "+
		"set are not supported by quorum queues", c.named(QueueResource, q.Spec().Name), flag)
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
