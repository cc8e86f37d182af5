package amqp091

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
)

// TestTransaction is a real client that moves messages in transactions.
func TestTransaction(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	for _, name := range []string{"from", "to"} {
		c.queue(name)
	}
	c.put("from", "1", "2", "3")
	c.must(c.Tx())
	d, err := c.Consume("from", "", false, false, false, false, nil)
	c.must(err)
	for i, want := range []string{"1", "2", "3"} {
		m := next(t, d)
		if string(m.Body) != want {
			t.Fatalf("got %s", m.Body)
		}
		c.must(m.Ack(false))
		c.put("to", want)
		if i == 1 {
			c.must(c.TxRollback())
			c.must(c.Ack(m.DeliveryTag, true)) // both are unsettled again
			c.put("to", "1", "2")
		}
		if i == 0 {
			continue
		}
		other.counts(map[string]int{"to": i - 1 + (i - 1)})
		c.must(c.TxCommit())
		other.counts(map[string]int{"to": i + 1, "from": 0})
	}
	c.must(c.conn.Close())
	other.counts(map[string]int{"to": 3, "from": 0})
}

// TestTransactionEndsWithItsChannel puts back what an open transaction settled, and
// drops what it published.
func TestTransactionEndsWithItsChannel(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	c.queue("q")
	c.put("q", "1")
	c.must(c.Tx())
	d, ok, err := c.Get("q", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	c.must(d.Ack(false))
	c.put("q", "2")
	c.must(c.Close())
	d, ok, err = other.Get("q", true)
	if err != nil || !ok || string(d.Body) != "1" || !d.Redelivered {
		t.Errorf("%s %v %v", d.Body, ok, err)
	}
	other.counts(map[string]int{"q": 0})
}

// TestTransactionOfDeletedQueue drops for a queue that is gone, and does the rest.
func TestTransactionOfDeletedQueue(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	c.queue("q")
	c.queue("gone")
	c.must(c.Tx())
	c.put("gone", "1")
	c.put("q", "2")
	c.must(c.TxRollback()) // a round trip
	c.put("gone", "1")
	c.put("q", "2")
	_, _, err := c.Get("q", true) // the publishes were routed
	c.must(err)
	_, err = other.QueueDelete("gone", false, false, false)
	c.must(err)
	c.must(c.TxCommit())
	other.counts(map[string]int{"q": 1})
}

// TestTransactionBounds refuses transactions that are too large, with everything they
// hold, and goes on without them.
func TestTransactionBounds(t *testing.T) {
	t.Parallel()
	const large = 1 << 20
	s := serveTest(t, newEngine(t), Config{MaxPending: 40 << 20, MaxMessage: 2 << 20})
	other := connect(t, s)
	other.queue("q")
	other.must(other.QueueBind("q", "", "amq.fanout", false, nil))
	for name, tt := range map[string]struct {
		exchange, key, body string
		mandatory           bool
		text                string
	}{
		"octets": {"", "q", strings.Repeat("x", 200<<10), false,
			"PRECONDITION_FAILED - transaction is larger than 33554432 octets"},
		"count": {"", "q", "", false,
			"PRECONDITION_FAILED - transaction is larger than 65536 messages and " +
				"acknowledgements"},
		"memory": {"amq.direct", "none", strings.Repeat("x", large), true,
			"PRECONDITION_FAILED - transactions on this connection exceed 41943040 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, s)
			closed := c.NotifyClose(make(chan *amqp.Error, 1))
			c.must(c.Tx())
			for range broker.MaxTransactionCount + 2 {
				err := c.PublishWithContext(t.Context(), tt.exchange, tt.key, tt.mandatory, false,
					amqp.Publishing{Body: []byte(tt.body)})
				if err != nil {
					break
				}
			}
			if e := receive(t, closed); e.Code != 406 || e.Reason != tt.text {
				t.Errorf("%v", e)
			}
			ch, err := c.conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			c.Channel = ch
			c.must(c.Tx())
			c.put("q", name)
			c.must(c.TxCommit())
		})
	}
}
