// Package churn opens and closes connections to a broker in all ways that they end:
// in order or by cutting them, with nothing or with all that a connection can leave
// behind. What it leaves is for the broker to clean up; that it does is for the
// caller to find.
package churn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// workers is how many goroutines open and close at once.
const workers = 16

const (
	channel  = 1
	bodySize = 1 << 10 // octets
)

// Connections opens n connections, several at a time, and closes each. It ends when
// all are closed, with the errors; each goroutine ends at its first one.
func Connections(ctx context.Context, to amqpclient.Config, n int) error {
	to.ReadBuffer = 4 << 10
	var work sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		work.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = one(ctx, to, i)
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// one opens a connection and ends it in one of six ways.
func one(ctx context.Context, to amqpclient.Config, i int) error {
	c, err := amqpclient.Dial(ctx, to)
	if err != nil {
		return err
	}
	if err := c.Open(channel); err != nil {
		return errors.Join(err, c.Close())
	}
	switch i % 6 {
	case 1:
		return c.Close()
	case 2, 3:
		err = burden(c)
	case 4:
		err = abandon(c)
	case 5: // the server ends the channel, and then the client the connection
		_, err = c.Call(channel, &wire.QueueDeclare{Queue: "missing", Passive: true})
		if err == nil || !strings.Contains(err.Error(), "NOT_FOUND") {
			return errors.Join(errors.New("a queue that is missing was found"), err)
		}
		err = c.Append(channel, &wire.ChannelCloseOk{})
	}
	if err != nil || i%6 == 3 || i%6 == 4 {
		return errors.Join(err, c.Close())
	}
	return c.Goodbye()
}

// burden leaves an exclusive queue, a consumer, and a message that it has not settled.
func burden(c *amqpclient.Conn) error {
	m, err := c.Call(channel, &wire.QueueDeclare{Exclusive: true})
	if err != nil {
		return err
	}
	q, ok := m.(*wire.QueueDeclareOk)
	if !ok {
		return fmt.Errorf("got %s, want a queue", m.ID())
	}
	if err := c.Publish(channel, "", q.Queue, false, make([]byte, bodySize)); err != nil {
		return err
	}
	if _, err := c.Call(channel, &wire.BasicConsume{Queue: q.Queue}); err != nil {
		return err
	}
	e, err := c.Next()
	if err != nil {
		return err
	}
	if _, ok := e.Method.(*wire.BasicDeliver); !ok {
		return fmt.Errorf("got %s, want a delivery", e.Method.ID())
	}
	return nil
}

// abandon leaves a transaction open.
func abandon(c *amqpclient.Conn) error {
	if _, err := c.Call(channel, &wire.TxSelect{}); err != nil {
		return err
	}
	if err := c.Publish(channel, "", "never", false, make([]byte, bodySize)); err != nil {
		return err
	}
	return c.Flush()
}
