package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/amqpclient"
)

// library is RabbitMQ's own Go client, as applications use it.
type library struct{}

var _ client = library{}

// farewell bounds what the libraries wait for when a connection ends.
const farewell = 10 * time.Second

// link is a connection with one channel.
type link struct {
	conn *amqp.Connection
	ch   *amqp.Channel
	gone chan *amqp.Error
	stop func() bool
}

func dialLibrary(ctx context.Context, to amqpclient.Config) (*link, error) {
	cfg, err := trust(to)
	if err != nil {
		return nil, err
	}
	conn, err := amqp.DialTLS(to.URL, cfg)
	if err != nil {
		return nil, unsaid(err)
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	l := &link{conn: conn, ch: ch, gone: make(chan *amqp.Error, 1)}
	ch.NotifyClose(l.gone)
	l.stop = context.AfterFunc(ctx, func() { conn.CloseDeadline(time.Now().Add(farewell)) })
	return l, nil
}

// unsaid gives the library's guesses their right name: a socket that was closed
// during the handshake without a word is to it a wrong password or virtual host. What
// a broker refuses has the broker's own text (handshakeError of amqp091-go).
func unsaid(err error) error {
	if err == error(amqp.ErrCredentials) || err == error(amqp.ErrVhost) {
		return fmt.Errorf("%w: amqp: connection closed in the handshake", err)
	}
	return err
}

// ended gives why the channel ended.
func (l *link) ended() error {
	select {
	case e := <-l.gone:
		if e != nil {
			return e
		}
	case <-time.After(farewell):
	}
	return amqp.ErrClosed
}

func (l *link) close(bool) error {
	l.stop()
	return l.conn.CloseDeadline(time.Now().Add(farewell))
}

func (library) publish(
	ctx context.Context, to amqpclient.Config, queue string,
) (publisher, error) {
	l, err := dialLibrary(ctx, to)
	if err != nil {
		return nil, err
	}
	return &libraryPublisher{l, queue, l.ch.NotifyPublish(make(chan amqp.Confirmation, 1000))}, nil
}

type libraryPublisher struct {
	*link
	queue    string
	confirms chan amqp.Confirmation
}

func (p *libraryPublisher) send(body []byte) error {
	return p.ch.Publish("", p.queue, false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
}

func (p *libraryPublisher) flush() error { return nil }

func (p *libraryPublisher) told() (verdict, error) {
	c, ok := <-p.confirms
	if !ok {
		return verdict{}, p.ended()
	}
	return verdict{seq: c.DeliveryTag, ok: c.Ack}, nil
}

func (library) consume(
	ctx context.Context, to amqpclient.Config, queue string, prefetch int,
) (consumer, error) {
	l, err := dialLibrary(ctx, to)
	if err != nil {
		return nil, err
	}
	c := &libraryConsumer{link: l, queue: queue}
	if err = l.ch.Qos(prefetch, 0, false); err == nil {
		c.list, err = l.ch.Consume(queue, "c", false, false, false, false, nil)
	}
	if err != nil {
		return nil, errors.Join(err, c.close(false))
	}
	return c, nil
}

type libraryConsumer struct {
	*link
	queue string
	list  <-chan amqp.Delivery
}

func (c *libraryConsumer) next() (delivery, error) {
	d, ok := <-c.list
	if !ok {
		return delivery{}, c.ended()
	}
	return delivery{d.DeliveryTag, d.Body, d.Redelivered}, nil
}

func (c *libraryConsumer) ack(d delivery) error { return c.ch.Ack(d.tag, true) }

func (c *libraryConsumer) release(d delivery) error { return c.ch.Nack(d.tag, false, true) }

func (c *libraryConsumer) sure() (bool, error) {
	if _, err := c.ch.QueueDeclarePassive(c.queue, true, false, false, false, nil); err != nil {
		return false, err
	}
	told, err := c.ch.PublishWithDeferredConfirm("", barrier, false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent})
	if err != nil {
		return false, err
	}
	ok := told.Wait()
	if !ok && c.ch.IsClosed() {
		return false, c.ended()
	}
	return ok, nil
}
