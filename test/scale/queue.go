package scale

import (
	"context"
	"encoding/binary"
	"fmt"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

const (
	channel  = 1
	window   = 4096 // publishes of a connection not yet confirmed
	prefetch = 1000
	ackEvery = 500
	bodySize = 128 // octets; the first eight are the message's number
)

// open connects and opens a channel, and calls methods on it.
func open(
	ctx context.Context, to amqpclient.Config, methods ...wire.Method,
) (*amqpclient.Conn, error) {
	c, err := amqpclient.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	err = c.Open(channel)
	for _, m := range methods {
		if err == nil {
			_, err = c.Call(channel, m)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func declare(queue string) *wire.QueueDeclare {
	return &wire.QueueDeclare{Queue: queue, Durable: true}
}

// fill publishes the messages from first to before last, durably, and returns when
// all are confirmed.
func fill(ctx context.Context, to amqpclient.Config, queue string, first, last int) error {
	c, err := open(ctx, to, declare(queue), &wire.ConfirmSelect{})
	if err != nil {
		return err
	}
	defer c.Close()
	body := make([]byte, bodySize)
	n := last - first
	for sent, told := 0, 0; told < n; {
		for ; sent < n && sent-told < window; sent++ {
			binary.BigEndian.PutUint64(body, uint64(first+sent))
			if err := c.Publish(channel, "", queue, true, body); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for again := true; again; again = c.Buffered() {
			e, err := c.Next()
			if err != nil {
				return err
			}
			m, ok := e.Method.(*wire.BasicAck)
			if !ok {
				return fmt.Errorf("publish: got %s", e.Method.ID())
			}
			told = int(m.DeliveryTag) // Coffer confirms in order
		}
	}
	return c.Goodbye()
}

// consumer reads a queue that fill has filled.
type consumer struct {
	*amqpclient.Conn
	next  int    // the number that must come
	tag   uint64 // of the last message
	acked uint64
}

func consume(
	ctx context.Context, to amqpclient.Config, queue string, next int,
) (*consumer, error) {
	c, err := open(ctx, to, &wire.BasicQos{PrefetchCount: prefetch},
		&wire.BasicConsume{Queue: queue, ConsumerTag: "c"})
	if err != nil {
		return nil, err
	}
	return &consumer{Conn: c, next: next}, nil
}

// take waits for n messages, which must come in order.
func (c *consumer) take(n int) error {
	for range n {
		e, err := c.Next()
		if err != nil {
			return err
		}
		m, ok := e.Method.(*wire.BasicDeliver)
		if !ok || len(e.Body) != bodySize {
			return fmt.Errorf("consume: got %s of %d octets", e.Method.ID(), len(e.Body))
		}
		if got := int(binary.BigEndian.Uint64(e.Body)); got != c.next {
			return fmt.Errorf("consume: message %d came in the place of %d", got, c.next)
		}
		c.next++
		if c.tag = m.DeliveryTag; c.tag%ackEvery == 0 {
			if err := c.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle acks all that was taken.
func (c *consumer) settle() error {
	if c.tag == c.acked {
		return nil
	}
	c.acked = c.tag
	if err := c.Ack(channel, c.tag, true); err != nil {
		return err
	}
	return c.Flush()
}

// end acks all that was taken and closes the connection.
func (c *consumer) end() error {
	if err := c.settle(); err != nil {
		return err
	}
	return c.Goodbye()
}
