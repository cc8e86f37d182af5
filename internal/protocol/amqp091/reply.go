package amqp091

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// RabbitMQ's direct reply-to: who consumes from the queue of this name, which does
// not exist, may ask with it as reply-to and gets the answers on the same channel.
// The name that the other side sees is one that nobody can guess. Answers are never
// stored, and those that come for a channel that is gone have no route.
const (
	directReplyTo = "amq.rabbitmq.reply-to"
	replyPrefix   = directReplyTo + "."
)

// replies knows the channels that wait for answers, by the names that others see.
type replies struct {
	mu   sync.RWMutex
	list map[string]replyTarget
}

type replyTarget struct {
	conn    *conn
	channel *channel
}

func (r *replies) add(name string, t replyTarget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil {
		r.list = map[string]replyTarget{}
	}
	r.list[name] = t
}

func (r *replies) remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.list, name)
}

// find gives the channel of that name in a virtual host.
func (r *replies) find(name string, n *broker.Namespace) (replyTarget, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t, ok := r.list[name]
	return t, ok && t.conn.namespace == n
}

// replyConsumer is a channel's consumer of answers.
type replyConsumer struct {
	tag  []byte
	name string // that the other side sees
}

// consumeReplies answers basic.consume of the queue for answers.
func (c *conn) consumeReplies(ch *channel, m *wire.BasicConsume) error {
	switch {
	case !m.NoAck:
		return refuse(wire.PreconditionFailed, "reply consumer cannot acknowledge")
	case ch.reply != nil:
		return refuse(wire.PreconditionFailed, "reply consumer already set")
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = generate("amq.ctag-")
	}
	r := &replyConsumer{tag: []byte(m.ConsumerTag), name: generate(replyPrefix)}
	c.out.Lock()
	ch.reply = r
	if !m.NoWait {
		c.out.append(ch.number, &wire.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
		c.out.Notify()
	}
	c.out.Unlock()
	c.srv.replies.add(r.name, replyTarget{c, ch})
	return nil
}

// endReplies ends the consumer of answers of a channel, if it has one.
func (c *conn) endReplies(ch *channel) {
	if ch.reply == nil {
		return
	}
	c.srv.replies.remove(ch.reply.name)
	c.out.Lock()
	ch.reply = nil
	c.out.Unlock()
}

// cancelReplies ends the consumer of answers if the tag is its.
func (c *conn) cancelReplies(ch *channel, tag string) {
	if ch.reply != nil && string(ch.reply.tag) == tag {
		c.endReplies(ch)
	}
}

// askDirectly puts the name for answers into the message in hand, whose reply-to is
// the queue for answers.
func (c *conn) askDirectly(ch *channel) (header []byte, err error) {
	if ch.reply == nil {
		return nil, refuse(wire.PreconditionFailed, "fast reply consumer does not exist")
	}
	c.props.ReplyTo = []byte(ch.reply.name)
	return c.props.Append(nil)
}

// declareReplies answers queue.declare for the queue for answers, and for the names
// that the other side sees: so it finds out whether the one who asked is there.
func (c *conn) declareReplies(ch *channel, name string, noWait bool) error {
	if name != directReplyTo {
		if _, ok := c.srv.replies.find(name, c.namespace); !ok {
			return c.missing(QueueResource, name)
		}
	}
	ch.lastQueue = name
	if !noWait {
		c.out.send(ch.number, &wire.QueueDeclareOk{Queue: name, ConsumerCount: 1})
	}
	return nil
}

// answers reports whether the message in hand is published to names for answers.
func (c *conn) answers(r *route) bool {
	if r.exchange != "" {
		return false
	}
	if r.answers {
		return true
	}
	for _, key := range c.also {
		if strings.HasPrefix(key, replyPrefix) {
			return true
		}
	}
	return false
}

// answer sends the message in hand to the names for answers that it is published to.
// In a transaction it is kept for the commit.
func (c *conn) answer(ch *channel, header, body []byte) error {
	// Nothing of this is sealed, so the key would not be missed.
	if err := c.namespace.Locked(); err != nil {
		return err
	}
	found := false
	names := append([]string{ch.route.key}, c.also...)
	slices.Sort(names)
	tx := ch.tx
	for _, name := range slices.Compact(names) { // one answer each
		if !strings.HasPrefix(name, replyPrefix) {
			continue
		}
		t, ok := c.srv.replies.find(name, c.namespace)
		switch {
		case !ok:
		case tx == nil:
			t.deliver(name, header, body)
		default:
			if !found { // all share it
				header, body = bytes.Clone(header), bytes.Clone(body)
			}
			found = true
			tx.copies++
			tx.answers = append(tx.answers, answer{t, name, header, body})
		}
	}
	if tx == nil || !found {
		return nil
	}
	return c.holdTx(ch, len(header)+len(body))
}

// deliver sends an answer, unless the channel is gone or its client does not read.
func (t replyTarget) deliver(name string, header, body []byte) {
	payload := appendHeader(nil, &broker.Content{Header: header, Body: body})
	o := &t.conn.out
	o.Lock()
	defer o.Unlock()
	r := t.channel.reply
	if r == nil || r.name != name || !o.Writable() ||
		len(o.Buf)+len(body) > t.conn.srv.cfg.MaxPending {
		return
	}
	t.channel.lastTag++
	m := wire.BasicDeliver{
		ConsumerTag: r.tag, DeliveryTag: t.channel.lastTag, RoutingKey: []byte(name),
	}
	buf, err := wire.AppendDeliver(o.Buf, t.channel.number, &m, payload, body, t.conn.frameMax)
	if err != nil {
		return
	}
	o.Buf = buf
	o.Notify()
}
