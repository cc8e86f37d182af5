package amqpclient

import (
	"context"
	"fmt"

	"coffer/internal/protocol/amqp091/wire"
)

// Append adds a method to what the next Flush sends.
func (c *Conn) Append(channel uint16, m wire.Method) (err error) {
	if c.out, err = wire.AppendMethod(c.out, channel, m); err != nil {
		return err
	}
	return c.relieve()
}

// Publish adds a message.
func (c *Conn) Publish(
	channel uint16, exchange, key string, persistent bool, body []byte,
) (err error) {
	p := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1}
	if persistent {
		p.DeliveryMode = 2
	}
	c.header, err = wire.AppendContentHeader(c.header[:0], uint64(len(body)), &p)
	if err != nil {
		return err
	}
	m := wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
	c.out, err = wire.AppendPublish(c.out, channel, &m, c.header, body, c.frameMax)
	if err != nil {
		return err
	}
	return c.relieve()
}

// AppendRaw adds frames that were encoded before. Large ones are sent as they lie.
func (c *Conn) AppendRaw(frames []byte) error {
	if len(frames) < writeBuffer {
		c.out = append(c.out, frames...)
		return c.relieve()
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return c.write(frames)
}

// Ack adds a basic.ack.
func (c *Conn) Ack(channel uint16, tag uint64, multiple bool) error {
	c.out = wire.AppendAck(c.out, channel, tag, multiple)
	return c.relieve()
}

// Nack adds a basic.nack of one delivery, which goes back to its queue.
func (c *Conn) Nack(channel uint16, tag uint64) error {
	c.out = wire.AppendNack(c.out, channel, tag, false, true)
	return c.relieve()
}

func (c *Conn) relieve() error {
	if len(c.out) < writeBuffer {
		return nil
	}
	return c.Flush()
}

// Flush sends what was added.
func (c *Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(c.out)
	if c.out = c.out[:0]; cap(c.out) > 4*writeBuffer {
		c.out = nil
	}
	return err
}

func (c *Conn) write(b []byte) error {
	if _, err := c.net.Write(b); err != nil {
		if c.ctx.Err() != nil {
			err = context.Cause(c.ctx)
		}
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
