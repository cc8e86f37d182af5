// Command client puts a message into a queue, or takes it out, with nothing but what
// `coffer env` prints: it runs wherever a process was deployed to.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// queue is durable.
const queue = "deployed"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: client put|take TEXT")
	}
	pem, err := os.ReadFile(os.Getenv("COFFER_CA"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := amqp.DialTLS(os.Getenv("COFFER_AMQP_URL"), &tls.Config{RootCAs: pool})
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err == nil {
		_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	}
	if err == nil {
		switch args[0] {
		case "put":
			err = put(ctx, ch, args[1])
		case "take":
			err = take(ch, args[1])
		default:
			err = fmt.Errorf("%q is neither put nor take", args[0])
		}
	}
	return errors.Join(err, conn.Close())
}

// put returns when the message is confirmed.
func put(ctx context.Context, ch *amqp.Channel, text string) error {
	if err := ch.Confirm(false); err != nil {
		return err
	}
	told, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(text)})
	if err != nil {
		return err
	}
	ok, err := told.WaitContext(ctx)
	if err == nil && !ok {
		err = errors.New("the message was refused")
	}
	return err
}

// take wants exactly this message.
func take(ch *amqp.Channel, text string) error {
	d, ok, err := ch.Get(queue, true)
	if err != nil {
		return err
	}
	if !ok || string(d.Body) != text {
		return fmt.Errorf("got %q (%v), want %q", d.Body, ok, text)
	}
	return nil
}
