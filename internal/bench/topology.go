package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

func (r *run) queueName(i int) string { return fmt.Sprintf("%s-%d", r.cfg.Prefix, i) }

func (r *run) exchangeName() string { return r.cfg.Prefix }

// declare makes the queues, and the exchange of a fan-out.
func (r *run) declare() error {
	args := wire.Table(nil)
	if r.cfg.QueueType != "" {
		args = wire.Table{{Name: "x-queue-type", Value: wire.StringValue(r.cfg.QueueType)}}
	}
	if r.cfg.Fanout {
		m := &wire.ExchangeDeclare{Exchange: r.exchangeName(), Type: "fanout"}
		if _, err := r.control.Call(channel, m); err != nil {
			return err
		}
	}
	err := calls(r.control, r.cfg.Queues, func(i int) wire.Method {
		return &wire.QueueDeclare{Queue: r.queueName(i), Durable: true, Arguments: args}
	}, func(i int, m wire.Method) error {
		ok, is := m.(*wire.QueueDeclareOk)
		if is && ok.MessageCount == 0 && ok.ConsumerCount == 0 {
			r.declared = i + 1
			return nil
		}
		return fmt.Errorf("queue %s is in use: only new or unused ones can be measured",
			r.queueName(i))
	})
	if err != nil || !r.cfg.Fanout {
		return err
	}
	return calls(r.control, r.cfg.Queues, func(i int) wire.Method {
		return &wire.QueueBind{Queue: r.queueName(i), Exchange: r.exchangeName()}
	}, nil)
}

// calls sends n methods, some of them before it reads the answers, which check sees.
func calls(
	c *amqpclient.Conn, n int, make func(i int) wire.Method,
	check func(i int, m wire.Method) error,
) error {
	const ahead = 100
	for first := 0; first < n; first += ahead {
		last := min(first+ahead, n)
		for i := first; i < last; i++ {
			if err := c.Append(channel, make(i)); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i := first; i < last; {
			e, err := c.Next()
			if err != nil {
				return err
			}
			if e.Channel != channel {
				continue // the broker is blocked, or no more
			}
			if check != nil {
				if err := check(i, e.Method); err != nil {
					return err
				}
			}
			i++
		}
	}
	return nil
}

// cleanup removes what declare made, on a connection of its own: the others may be
// broken, and what they had not acked is with the broker again.
func (r *run) cleanup(ctx context.Context) error {
	if r.control == nil {
		return nil
	}
	r.control.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Patience, errors.New("it takes too long"))
	defer cancel()
	c, err := amqpclient.Dial(ctx, r.cfg.Target)
	if err == nil {
		defer c.Close()
		err = c.Open(channel)
	}
	if err == nil {
		err = calls(c, r.declared, func(i int) wire.Method {
			return &wire.QueueDelete{Queue: r.queueName(i)}
		}, nil)
	}
	if err == nil && r.cfg.Fanout {
		_, err = c.Call(channel, &wire.ExchangeDelete{Exchange: r.exchangeName()})
	}
	if err == nil {
		err = c.Goodbye()
	}
	if err != nil {
		return fmt.Errorf("remove the queues %s-…: %w", r.cfg.Prefix, err)
	}
	return nil
}

// product says which broker it is: the platform tells those apart that pose as another.
func product(t wire.Table) string {
	word := func(name string) string {
		v, _ := t.Get(name)
		s, _ := v.Text()
		return s
	}
	return strings.Join(strings.Fields(
		word("product")+" "+word("version")+" "+word("platform")), " ")
}
