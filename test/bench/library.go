package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// library is RabbitMQ's own Go client, as applications use it.
type library struct{ *target }

func (l library) dial() (*amqp.Connection, *amqp.Channel, error) {
	pem, err := os.ReadFile(l.CA)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := amqp.DialTLS(l.URL, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	return conn, ch, err
}

// publish sends n messages of body and returns when all are confirmed.
func (l library) publish(ctx context.Context, queue string, body []byte, n int) error {
	conn, ch, err := l.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, window))
	message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body}
	for sent, told := 0, 0; told < n; {
		if sent < n && sent-told < window {
			if err := ch.PublishWithContext(ctx, "", queue, false, false, message); err != nil {
				return err
			}
			sent++
			continue
		}
		c, ok := <-confirms
		if !ok || !c.Ack {
			return fmt.Errorf("publish: %d was not confirmed", c.DeliveryTag)
		}
		told++
	}
	return nil
}

// consume reads and acks n messages; ready is called when it listens.
func (l library) consume(ctx context.Context, queue string, n int, ready func()) error {
	conn, ch, err := l.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ch.Qos(window, 0, false); err != nil {
		return err
	}
	list, err := ch.ConsumeWithContext(ctx, queue, "c", false, false, false, false, nil)
	if err != nil {
		return err
	}
	ready()
	for got := 0; got < n; {
		d, ok := <-list
		if !ok {
			return errors.New("consume: the deliveries ended")
		}
		if got++; got%ackEvery == 0 || got == n {
			if err := d.Ack(true); err != nil {
				return err
			}
		}
	}
	return nil
}
