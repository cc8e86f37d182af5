package amqp091

import (
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestGlobalPrefetch shares one limit among the consumers of a channel, at several
// queues; consumers without acknowledgements and other channels have none of it.
func TestGlobalPrefetch(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for _, name := range []string{"a", "b", "free"} {
		c.queue(name)
	}
	c.must(c.Confirm(false))
	put := func(queue string, bodies ...string) {
		for _, b := range bodies {
			c.confirmed("", queue, amqp.Publishing{Body: []byte(b)})
		}
	}
	c.must(c.Qos(3, 0, true))
	free, err := c.Consume("free", "", true, false, false, false, nil)
	c.must(err)
	a, err := c.Consume("a", "", false, false, false, false, nil)
	c.must(err)
	b, err := c.Consume("b", "", false, false, false, false, nil)
	c.must(err)
	put("a", "1", "2")
	first := next(t, a)
	if got := append(bodies(t, a, 1), string(first.Body)); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("got %q", got)
	}
	put("b", "3", "4", "5")
	third := next(t, b)
	put("free", "6", "7")
	bodies(t, free, 2)
	if n := c.count("b"); n != 2 || len(b) > 0 {
		t.Fatalf("%d wait at the limit", n)
	}
	c.must(c.Qos(2, 0, true)) // three are out: one ack gives nothing
	c.must(first.Ack(false))
	if n := c.count("b"); n != 2 || len(b) > 0 {
		t.Fatalf("%d wait above the limit", n)
	}
	c.must(third.Ack(false))
	if got := bodies(t, b, 1); got[0] != "4" {
		t.Errorf("got %q", got)
	}
	c.must(c.Qos(1, 0, false)) // of consumers to come; the limit of all is gone
	if got := bodies(t, b, 1); got[0] != "5" {
		t.Errorf("got %q", got)
	}
	other := connect(t, s)
	other.put("a", "8")
	if got := bodies(t, a, 1); got[0] != "8" {
		t.Errorf("got %q", got)
	}
}
