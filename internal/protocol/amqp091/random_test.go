package amqp091

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestLocalRandom gives each message to one of the queues, and in time all of them
// some. RabbitMQ 3.10 has no such exchange.
func TestLocalRandom(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	c.must(plainExchange("r", "x-local-random")(c))
	for _, q := range []string{"a", "b", "c"} {
		c.queue(q)
		c.must(c.QueueBind(q, "", "r", false, nil))
	}
	const n = 600 // that one of three gets none of them has a chance of 1e-105
	for i := range n {
		c.send("r", fmt.Sprint("key", i%2), text("m"))
	}
	total := 0
	for _, q := range []string{"a", "b", "c"} {
		depth := c.depth(q)
		if total += depth; depth == 0 {
			t.Errorf("nothing in %s", q)
		}
	}
	if total != n {
		t.Errorf("%d messages, want %d", total, n)
	}
	c.must(c.QueueUnbind("a", "", "r", nil))
	c.must(c.QueueUnbind("b", "", "r", nil))
	before := c.depth("c")
	c.send("r", "", amqp.Publishing{})
	if got := c.depth("c"); got != before+1 {
		t.Errorf("%d in the only queue, want %d", got, before+1)
	}
}

// TestWrongRandomBindings are those that RabbitMQ's exchange type refuses
// (rabbit_exchange_type_local_random, validate_binding).
func TestWrongRandomBindings(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.must(plainExchange("r", "x-local-random")(c))
	c.must(plainExchange("x", "fanout")(c))
	c.queue("q")
	c.must(declare("qq", true, false, false, amqp.Table{"x-queue-type": "quorum"})(c))
	bind := func(queue, key string) action {
		return func(c *client) error { return c.QueueBind(queue, key, "r", false, nil) }
	}
	for _, f := range []failing{
		{"key", bind("q", "k"), 406, failed + "Non empty binding 'k' key not permitted", false},
		{"quorum", bind("qq", ""), 406,
			failed + "Queue type rabbit_quorum_queue not valid for this exchange type", false},
		{"exchange", func(c *client) error { return c.ExchangeBind("x", "", "r", false, nil) },
			406, failed + "Destination not found", false},
	} {
		t.Run(f.name, func(t *testing.T) { f.run(t, s) })
	}
}
