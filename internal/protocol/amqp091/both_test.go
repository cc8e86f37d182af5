package amqp091

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// both runs a test against a server of ours and, with -rabbitmq, against RabbitMQ
// 3.10, so that what the test expects is what both do. old is for what RabbitMQ 4
// does otherwise.
func both(t *testing.T, test func(t *testing.T, s *service, old bool)) {
	t.Helper()
	test(t, serveTest(t, newEngine(t), Config{}), false)
	if *rabbit != "" {
		t.Run("rabbitmq", func(t *testing.T) { test(t, &service{addr: *rabbit}, true) })
	}
}

// fresh declares a durable queue that did not exist, until the test ends.
func (c *client) fresh(name string, args amqp.Table) {
	c.t.Helper()
	_, err := c.QueueDelete(name, false, false, false)
	c.must(err)
	c.must(declare(name, true, false, false, args)(c))
	c.t.Cleanup(func() { c.QueueDelete(name, false, false, false) })
}

// send publishes and waits for the confirm, which it gives. The channel is in
// confirm mode afterwards.
func (c *client) send(exchange, key string, p amqp.Publishing) (acked bool) {
	c.t.Helper()
	c.must(c.Confirm(false))
	d, err := c.PublishWithDeferredConfirmWithContext(c.t.Context(), exchange, key, false, false, p)
	c.must(err)
	d.Wait()
	return d.Acked()
}

// take gets a message that must be there and does not settle it.
func (c *client) take(queue string) amqp.Delivery {
	c.t.Helper()
	d, ok, err := c.Get(queue, false)
	c.must(err)
	if !ok {
		c.t.Fatalf("nothing in %s", queue)
	}
	return d
}

// eat consumes by hand, so many at a time.
func (c *client) eat(queue string, prefetch int, args amqp.Table) <-chan amqp.Delivery {
	c.t.Helper()
	c.must(c.Qos(prefetch, 0, false))
	d, err := c.Consume(queue, "", false, false, false, false, args)
	c.must(err)
	return d
}

// depth asks how many messages wait in a queue.
func (c *client) depth(queue string) int {
	c.t.Helper()
	q, err := c.QueueDeclarePassive(queue, true, false, false, false, nil)
	c.must(err)
	return q.Messages
}

// text is a message.
func text(body string) amqp.Publishing { return amqp.Publishing{Body: []byte(body)} }
