package amqp091

import (
	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/convert"
)

// qos answers basic.qos. In RabbitMQ's reading, global means all consumers of
// the channel together, and its absence each one to come by itself.
func (c *conn) qos(ch *channel, m *wire.BasicQos) error {
	if m.PrefetchSize != 0 {
		return refuse(wire.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	limit := int(m.PrefetchCount)
	if !m.Global {
		ch.prefetch, limit = limit, 0
	}
	ch.limited = limit > 0
	ch.shown.prefetch.Store(int32(ch.prefetch))
	ch.shown.global.Store(int32(limit))
	c.session.SetLimit(ch.limit, limit)
	c.out.send(ch.number, &wire.BasicQosOk{})
	return nil
}

// consume answers basic.consume. consume-ok may be sent by the writer, with the
// first delivery.
func (c *conn) consume(ch *channel, m *wire.BasicConsume) error {
	if m.Queue == directReplyTo {
		if err := c.newTag(ch, m.ConsumerTag); err != nil {
			return err
		}
		return c.consumeReplies(ch, m)
	}
	q, err := c.consumable(ch, m)
	if err != nil {
		return err
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = generate("amq.ctag-")
	}
	c.lastRef++
	cons := &consumer{
		ref: c.lastRef, tag: []byte(m.ConsumerTag), channel: ch, noAck: m.NoAck,
		noWait: m.NoWait, exclusive: m.Exclusive,
		arguments: c.kept(m.Arguments),
	}
	spec := broker.ConsumerSpec{
		Queue: q, Ref: cons.ref, Credit: -1, AutoSettle: m.NoAck,
		Exclusive: m.Exclusive && !isQuorum(q), // RabbitMQ's quorum queues do not know it
		Priority:  consumerPriority(m.Arguments),
	}
	if !m.NoAck {
		spec.Shared = ch.limit
		if ch.prefetch > 0 {
			spec.Credit, spec.Replenish = ch.prefetch, true
			cons.prefetch = ch.prefetch
		}
	}
	c.out.Lock()
	ch.consumers[m.ConsumerTag] = cons
	c.consumers[cons.ref] = cons
	c.out.Unlock()
	handle, err := c.session.Consume(c.ctx, spec)
	c.out.Lock()
	defer c.out.Unlock()
	cons.handle = handle
	if err != nil {
		delete(ch.consumers, m.ConsumerTag)
		delete(c.consumers, cons.ref)
		return c.about(q.Spec().Name, err)
	}
	c.announce(cons)
	c.out.Notify()
	return nil
}

// consumable checks a wish to consume and finds the queue.
func (c *conn) consumable(ch *channel, m *wire.BasicConsume) (*broker.Queue, error) {
	name, err := ch.queueName(m.Queue)
	if err == nil {
		err = c.newTag(ch, m.ConsumerTag)
	}
	if err != nil {
		return nil, err
	}
	if err := c.permit(QueueResource, name, Read); err != nil {
		return nil, err
	}
	q, err := c.queue(name)
	if err != nil {
		return nil, err
	}
	owner := c.named(QueueResource, name)
	if err := checkConsumeArguments(m.Arguments, q, owner); err != nil {
		return nil, err
	}
	if ch.limited && isQuorum(q) {
		return nil, refuse(wire.NotImplemented, "%s does not support global qos", owner)
	}
	return q, nil
}

// newTag refuses the tag of a consumer that there is, and one consumer too many.
func (c *conn) newTag(ch *channel, tag string) error {
	c.out.Lock()
	defer c.out.Unlock()
	if _, used := ch.consumers[tag]; used {
		return refuse(wire.NotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	if len(c.consumers) >= c.srv.cfg.MaxConsumers {
		return refuse(wire.NotAllowed,
			"reached maximum (%d) of consumers per connection", c.srv.cfg.MaxConsumers)
	}
	return nil
}

// cancelConsumer answers basic.cancel; a tag that nobody has is no error.
// Nothing is delivered to the consumer after the answer.
func (c *conn) cancelConsumer(ch *channel, m *wire.BasicCancel) error {
	c.out.Lock()
	cons := ch.consumers[m.ConsumerTag]
	c.out.Unlock()
	if cons != nil {
		if err := ignoreGone(c.session.Cancel(c.ctx, cons.handle)); err != nil {
			return err
		}
	} else {
		c.cancelReplies(ch, m.ConsumerTag)
	}
	c.out.Lock()
	defer c.out.Unlock()
	c.out.Settled()
	if cons != nil {
		delete(ch.consumers, m.ConsumerTag)
		delete(c.consumers, cons.ref)
	}
	if !m.NoWait {
		c.out.append(ch.number, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
		c.out.Notify()
	}
	return nil
}

// get answers basic.get.
func (c *conn) get(ch *channel, m *wire.BasicGet) error {
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
	if q.Spec().SingleActive && isQuorum(q) {
		return refuse(wire.ResourceLocked, "cannot obtain access to locked %s. basic.get "+
			"operations are not supported by quorum queues with single active consumer",
			c.named(QueueResource, name))
	}
	d, remaining, ok, err := c.session.Get(c.ctx, q, m.NoAck)
	if err != nil {
		return c.about(name, err)
	}
	if !ok {
		ch.shown.empty.Add(1)
		c.out.send(ch.number, &wire.BasicGetEmpty{})
		return nil
	}
	content, err := c.namespace.OpenDelivery(nil, &d)
	if err == nil && content.Format != ContentFormat {
		content, err = convert.To091(content)
	}
	if err != nil {
		c.session.Return([]broker.DeliveryRef{d.Ref})
		return err
	}
	return c.answerGet(ch, m.NoAck, &d, &content, remaining)
}

// answerGet adds basic.get-ok with its content.
func (c *conn) answerGet(
	ch *channel, noAck bool, d *broker.Delivery, content *broker.Content, remaining int,
) error {
	if d.History != nil || d.Count > 0 {
		content.Header = annotated(d, content.Header, c.frameMax)
	}
	header := appendHeader(nil, content)
	c.out.Lock()
	defer c.out.Unlock()
	ch.lastTag++
	buf, err := wire.AppendGetOk(c.out.Buf, ch.number, &wire.BasicGetOk{
		DeliveryTag: ch.lastTag, Redelivered: d.Redelivered, Exchange: []byte(d.Address),
		RoutingKey: []byte(d.Key), MessageCount: count(remaining),
	}, header, content.Body, c.frameMax)
	if err != nil {
		return err
	}
	if !noAck {
		ch.unacked.push(ch.lastTag, d, c.now)
	}
	c.traceDelivery(ch, "get", noAck, content)
	ch.countGet(noAck, d.Redelivered)
	c.out.Buf = buf
	c.out.Notify()
	c.out.Wait()
	return nil
}
