package bench

import (
	"context"
	"fmt"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// lean is the generator that is meant not to be the limit: frames are encoded
// once and sent in large writes.
type lean struct{}

var _ generator = lean{}

func (lean) publish(
	ctx context.Context, t *target, queue string, body []byte, n int,
) error {
	c, err := open(ctx, t, &wire.ConfirmSelect{})
	if err != nil {
		return err
	}
	defer c.Close()
	frames, err := encode(queue, body)
	if err != nil {
		return err
	}
	for sent, told := 0, 0; told < n; {
		for sent < n && sent-told < window {
			if err := c.AppendRaw(frames); err != nil {
				return err
			}
			sent++
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

// encode gives the frames of one publish.
func encode(queue string, body []byte) ([]byte, error) {
	p := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}
	header, err := wire.AppendContentHeader(nil, uint64(len(body)), &p)
	if err != nil {
		return nil, err
	}
	m := wire.BasicPublish{RoutingKey: []byte(queue)}
	return wire.AppendPublish(nil, channel, &m, header, body, wire.DefaultFrameMax)
}

func open(ctx context.Context, t *target, m wire.Method) (*amqpclient.Conn, error) {
	c, err := amqpclient.Dial(ctx, t.Config)
	if err != nil {
		return nil, err
	}
	if err = c.Open(channel); err == nil {
		_, err = c.Call(channel, m)
	}
	if err != nil {
		c.Close()
	}
	return c, err
}

func (lean) consume(
	ctx context.Context, t *target, queue string, n int, ready func(),
) error {
	c, err := open(ctx, t, &wire.BasicQos{PrefetchCount: window})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Call(channel, &wire.BasicConsume{Queue: queue, ConsumerTag: "c"})
	if err != nil {
		return err
	}
	ready()
	for got := 0; got < n; {
		e, err := c.Next()
		if err != nil {
			return err
		}
		m, ok := e.Method.(*wire.BasicDeliver)
		if !ok || len(e.Body) != bodySize {
			return fmt.Errorf("consume: got %s of %d octets", e.Method.ID(), len(e.Body))
		}
		if got++; got%ackEvery == 0 || got == n {
			if err := c.Ack(channel, m.DeliveryTag, true); err != nil {
				return err
			}
			if err := c.Flush(); err != nil {
				return err
			}
		}
	}
	return c.Goodbye()
}
