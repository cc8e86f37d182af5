package bench

import (
	"context"
	"fmt"
	"strconv"

	"coffer/internal/protocol/amqp091/wire"
)

// A consumer has one connection, and consumes from one queue or several. Consumer tags
// are the queues' numbers.
type consumer struct {
	*link
	r     *run
	index int

	books   map[int]*book // by queue
	one     *book         // if there is only one
	unacked int
}

// newConsumer connects. It consumes nothing yet.
func (r *run) newConsumer(ctx context.Context, i int) (*consumer, error) {
	l, err := r.link(ctx, fmt.Sprint("consumer ", i),
		&wire.BasicQos{PrefetchCount: uint16(r.cfg.Prefetch)})
	if err != nil {
		return nil, err
	}
	c := &consumer{link: l, r: r, index: i, books: map[int]*book{}}
	for q := i % r.cfg.Queues; q < r.cfg.Queues; q += r.cfg.Consumers {
		c.one = newBook(&r.plan, r.id, q)
		c.books[q] = c.one
	}
	if len(c.books) > 1 {
		c.one = nil
	}
	return c, nil
}

// start asks for the messages.
func (c *consumer) start() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	for q := range c.books {
		err := c.Append(channel, &wire.BasicConsume{
			Queue: c.r.queueName(q), ConsumerTag: strconv.Itoa(q), NoWait: true,
		})
		if err != nil {
			return err
		}
	}
	return c.explain(c.Flush())
}

// read takes deliveries until the connection is closed in order.
func (c *consumer) read() error {
	meter := c.r.meters.of(c.index)
	for {
		e, err := c.Next()
		if err != nil {
			return c.explain(err)
		}
		switch m := e.Method.(type) {
		case *wire.BasicDeliver:
			err = c.take(meter, m, e.Body)
		case *wire.ConnectionCloseOk:
			return nil
		case *wire.BasicCancel:
			err = fmt.Errorf("the broker cancelled the consumer of queue %s", m.ConsumerTag)
		default:
			err = c.other(e.Method)
		}
		if err != nil {
			return c.explain(err)
		}
	}
}

// take notes a delivery and acks from time to time.
func (c *consumer) take(meter *meter, m *wire.BasicDeliver, body []byte) error {
	b := c.one
	if b == nil {
		q, err := strconv.Atoi(string(m.ConsumerTag))
		if b = c.books[q]; err != nil || b == nil {
			return fmt.Errorf("a delivery for the consumer %q, which there is not", m.ConsumerTag)
		}
	}
	if len(body) < MinSize {
		b.Foreign++
		return nil
	}
	s := stampOf(body)
	if b.note(s, m.Redelivered) {
		meter.delivered.Add(1)
		if s.due >= c.r.from.Load() {
			meter.through.add(c.r.now() - s.due)
		}
	}
	if c.unacked++; c.unacked < c.r.cfg.AckEvery {
		return nil
	}
	c.unacked = 0
	return c.ack(m.DeliveryTag)
}
