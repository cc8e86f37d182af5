package shovel

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	window = 100  // messages that wait for their confirmation
	ahead  = 3000 // messages that may be on their way
	again  = 50 * time.Millisecond
	filler = 300 // octets of a message
)

// client publishes and consumes at a broker that dies now and then.
type client struct {
	uri    string
	tls    *tls.Config
	ledger *ledger
}

// forever does something on a new channel until ctx ends. What fails is done again.
func (c *client) forever(ctx context.Context, do func(*amqp.Channel) error) {
	for ctx.Err() == nil {
		if conn, err := amqp.DialTLS(c.uri, c.tls); err == nil {
			stop := context.AfterFunc(ctx, func() {
				conn.CloseDeadline(time.Now().Add(time.Second))
			})
			if ch, err := conn.Channel(); err == nil {
				do(ch) // it ends with the broker; the ledger knows what was done
			}
			stop()
			conn.Close()
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// publish sends numbered messages until stop is closed, and waits for confirmations.
func (c *client) publish(ctx context.Context, queue string) {
	c.forever(ctx, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		type sent struct {
			n int
			d *amqp.DeferredConfirmation
		}
		var waiting []sent
		for ctx.Err() == nil {
			for len(waiting) < window && c.room() {
				n := c.ledger.number()
				d, err := ch.PublishWithDeferredConfirm("", queue, false, false, message(n))
				if err != nil {
					return err
				}
				waiting = append(waiting, sent{n, d})
			}
			if len(waiting) == 0 {
				_, _, _, changed := c.ledger.state()
				select {
				case <-changed:
				case <-ctx.Done():
				}
				continue
			}
			if ok, err := waiting[0].d.WaitContext(ctx); err != nil {
				return err
			} else if ok {
				c.ledger.confirm(waiting[0].n)
			} else if ch.IsClosed() {
				return amqp.ErrClosed
			}
			waiting = waiting[1:]
		}
		return nil
	})
}

// room reports whether not too many messages are on their way.
func (c *client) room() bool {
	arrived, sent, _, _ := c.ledger.state()
	return sent-arrived < ahead
}

func message(n int) amqp.Publishing {
	return amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		Body:         append(fmt.Appendf(nil, "%d ", n), bytes.Repeat([]byte{'.'}, filler)...),
	}
}

// consume takes what arrives; wrong is told of messages that nobody has sent.
func (c *client) consume(ctx context.Context, queue string, wrong func(string)) {
	c.forever(ctx, func(ch *amqp.Channel) error {
		if err := ch.Qos(window, 0, false); err != nil {
			return err
		}
		deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			return err
		}
		for d := range deliveries {
			number, _, _ := bytes.Cut(d.Body, []byte{' '})
			n, err := strconv.Atoi(string(number))
			if err != nil || !c.ledger.arrive(n) {
				wrong(string(d.Body))
			}
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		return amqp.ErrClosed
	})
}
