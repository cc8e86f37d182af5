package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// channel is the one that each connection uses.
const channel = 1

// lean is the client on our own codec.
type lean struct{}

var _ client = lean{}

// dialLean connects and opens the channel.
func dialLean(
	ctx context.Context, to amqpclient.Config, first ...wire.Method,
) (*amqpclient.Conn, error) {
	c, err := amqpclient.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	err = c.Open(channel)
	for _, m := range first {
		if err == nil {
			_, err = c.Call(channel, m)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (lean) publish(
	ctx context.Context, to amqpclient.Config, queue string,
) (publisher, error) {
	c, err := dialLean(ctx, to, &wire.ConfirmSelect{})
	if err != nil {
		return nil, err
	}
	return &leanPublisher{c, queue}, nil
}

type leanPublisher struct {
	conn  *amqpclient.Conn
	queue string
}

func (p *leanPublisher) send(body []byte) error {
	return p.conn.Publish(channel, "", p.queue, true, body)
}

func (p *leanPublisher) flush() error { return p.conn.Flush() }

func (p *leanPublisher) close(bool) error { return p.conn.Close() }

func (p *leanPublisher) told() (verdict, error) {
	e, err := p.conn.Next()
	if err != nil {
		return verdict{}, err
	}
	switch m := e.Method.(type) {
	case *wire.BasicAck:
		return verdict{m.DeliveryTag, m.Multiple, true}, nil
	case *wire.BasicNack:
		return verdict{m.DeliveryTag, m.Multiple, false}, nil
	case *wire.ConnectionBlocked, *wire.ConnectionUnblocked:
		return verdict{}, nil
	}
	return verdict{}, fmt.Errorf("unexpected %s", e.Method.ID())
}

func (lean) consume(
	ctx context.Context, to amqpclient.Config, queue string, prefetch int,
) (consumer, error) {
	c, err := dialLean(ctx, to, &wire.ConfirmSelect{},
		&wire.BasicQos{PrefetchCount: uint16(prefetch)})
	if err != nil {
		return nil, err
	}
	err = c.Append(channel, &wire.BasicConsume{Queue: queue, ConsumerTag: "c"})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &leanConsumer{conn: c, queue: queue}, nil
}

type leanConsumer struct {
	conn  *amqpclient.Conn
	queue string
	early []delivery // that came while it waited for something else
}

func (c *leanConsumer) next() (delivery, error) {
	if len(c.early) > 0 {
		d := c.early[0]
		c.early = c.early[1:]
		return d, nil
	}
	for {
		if !c.conn.Buffered() {
			if err := c.conn.Flush(); err != nil {
				return delivery{}, err
			}
		}
		e, err := c.conn.Next()
		if err != nil {
			return delivery{}, err
		}
		d, err := c.event(e)
		if err != nil || d != nil {
			return *d, err
		}
	}
}

// event gives the delivery of an event, or nil.
func (c *leanConsumer) event(e amqpclient.Event) (*delivery, error) {
	switch m := e.Method.(type) {
	case *wire.BasicDeliver:
		return &delivery{m.DeliveryTag, e.Body, m.Redelivered}, nil
	case *wire.BasicConsumeOk, *wire.ConnectionBlocked, *wire.ConnectionUnblocked:
		return nil, nil
	}
	return &delivery{}, fmt.Errorf("unexpected %s", e.Method.ID())
}

func (c *leanConsumer) ack(d delivery) error { return c.conn.Ack(channel, d.tag, true) }

func (c *leanConsumer) release(d delivery) error { return c.conn.Nack(channel, d.tag) }

// sure asks for the queue, whose answer comes after all acks of the channel took effect,
// and then waits for a confirm, which comes after they are durable.
func (c *leanConsumer) sure() (bool, error) {
	err := c.conn.Append(channel, &wire.QueueDeclare{Queue: c.queue, Passive: true})
	for err == nil {
		if err = c.conn.Flush(); err != nil {
			break
		}
		var e amqpclient.Event
		if e, err = c.conn.Next(); err != nil {
			break
		}
		switch e.Method.(type) {
		case *wire.QueueDeclareOk:
			err = c.conn.Publish(channel, "", barrier, true, nil)
			continue
		case *wire.BasicAck:
			return true, nil
		case *wire.BasicNack:
			return false, nil
		}
		var d *delivery
		if d, err = c.event(e); err == nil && d != nil {
			d.body = bytes.Clone(d.body)
			c.early = append(c.early, *d)
		}
	}
	return false, err
}

func (c *leanConsumer) close(inOrder bool) error {
	if inOrder {
		return c.conn.Goodbye()
	}
	return c.conn.Close()
}
