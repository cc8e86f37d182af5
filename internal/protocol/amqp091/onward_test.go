package amqp091

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestAlternate leads what an exchange has no binding for on, with copies, and
// returns only what no queue wanted.
func TestAlternate(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for _, name := range []string{"q", "rest"} {
		c.queue(name)
	}
	alternate := func(name string) amqp.Table { return amqp.Table{"alternate-exchange": name} }
	c.must(exchange("x", "topic", true, false, false, alternate("y"))(c))
	c.must(exchange("y", "headers", true, false, false, alternate("x"))(c)) // a circle
	c.must(c.QueueBind("q", "a.*", "x", false, nil))
	c.must(c.QueueBind("rest", "", "y", false, amqp.Table{"keep": true}))
	returned := c.NotifyReturn(make(chan amqp.Return, 8))
	c.must(c.Confirm(false))
	publish := func(key string, headers amqp.Table) {
		c.confirmed("x", key, amqp.Publishing{Headers: headers, MessageId: key})
	}
	publish("a.b", amqp.Table{"keep": true})
	publish("b", amqp.Table{"keep": true})
	publish("b", amqp.Table{"keep": true, "BCC": []any{"a.c"}}) // some key fits
	publish("none", amqp.Table{"keep": false})
	c.counts(map[string]int{"q": 2, "rest": 1})
	if r := receive(t, returned); r.MessageId != "none" || r.ReplyCode != 312 {
		t.Errorf("returned %q with %d", r.MessageId, r.ReplyCode)
	}
	if len(returned) > 0 {
		t.Errorf("returned %+v", <-returned)
	}
}

// TestCopiesThroughExchanges routes by CC and BCC through another exchange, to each
// queue once.
func TestCopiesThroughExchanges(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for _, name := range []string{"a", "b", "c"} {
		c.queue(name)
	}
	c.must(exchange("in", "fanout", true, false, false, nil)(c))
	c.must(exchange("out", "direct", true, false, true, nil)(c))
	c.must(c.ExchangeBind("out", "", "in", false, nil))
	for _, b := range [][2]string{{"a", "k"}, {"a", "l"}, {"b", "l"}, {"c", "m"}} {
		c.must(c.QueueBind(b[0], b[1], "out", false, nil))
	}
	c.must(c.Confirm(false))
	c.confirmed("in", "k", amqp.Publishing{
		Headers: amqp.Table{"CC": []any{"l", "k"}, "BCC": []any{"m"}},
	})
	c.counts(map[string]int{"a": 1, "b": 1, "c": 1})
	d, ok, err := c.Get("c", true)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, there := d.Headers["BCC"]; there || d.Headers["CC"] == nil || d.RoutingKey != "k" ||
		d.Exchange != "in" {
		t.Errorf("headers %v, %s of %s", d.Headers, d.RoutingKey, d.Exchange)
	}
}

// TestConsistentHash spreads by key, header and property; what is hashed alike goes
// to one queue.
func TestConsistentHash(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for name, args := range map[string]amqp.Table{
		"key": nil, "header": {"hash-header": "h"}, "message": {"hash-property": "message_id"},
		"correlation": {"hash-property": "correlation_id"}, "time": {"hash-property": "timestamp"},
	} {
		c.must(exchange(name, "x-consistent-hash", true, false, false, args)(c))
		c.must(exchange(name, "x-consistent-hash", true, false, false, nil)(c))
		for _, weight := range []string{"1", "+3"} {
			c.queue(name + weight)
			c.must(c.QueueBind(name+weight, weight, name, false, nil))
		}
	}
	c.must(c.Confirm(false))
	const n = 60
	for i := range n {
		text := fmt.Sprint("text", i)
		for _, name := range []string{"key", "header", "message", "correlation", "time"} {
			p := amqp.Publishing{MessageId: "same"}
			key := "same"
			switch name {
			case "key":
				key = text
			case "header":
				p.Headers = amqp.Table{"h": text}
			case "correlation":
				p.CorrelationId = text
			}
			c.confirmed(name, key, p)
		}
	}
	for _, name := range []string{"key", "header", "correlation"} {
		light, heavy := c.count(name+"1"), c.count(name+"+3")
		if light+heavy != n || light == 0 || light > heavy {
			t.Errorf("%s: %d and %d messages", name, light, heavy)
		}
	}
	for _, name := range []string{"message", "time"} {
		light, heavy := c.count(name+"1"), c.count(name+"+3")
		if light+heavy != n || light*heavy != 0 {
			t.Errorf("%s: %d and %d messages", name, light, heavy)
		}
	}
}

// count gives the messages of a queue.
func (c *client) count(name string) int {
	c.t.Helper()
	q, err := c.QueueDeclarePassive(name, false, false, false, false, nil)
	c.must(err)
	return q.Messages
}

// TestExchangesGoWithTheirBindings deletes at both ends.
func TestExchangesGoWithTheirBindings(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	for name, kind := range map[string]string{"a": "direct", "b": "fanout", "c": "headers"} {
		c.must(exchange(name, kind, true, true, false, nil)(c))
	}
	c.must(c.ExchangeBind("b", "", "a", false, nil))
	c.must(c.ExchangeBind("c", "", "b", false, nil))
	c.must(c.QueueBind("q", "", "c", false, nil))
	_, err := c.QueueDelete("q", false, false, false)
	c.must(err)
	for _, name := range []string{"a", "b", "c"} {
		other := connect(t, s)
		if other.ExchangeDeclarePassive(name, "direct", false, false, false, false, nil) == nil {
			t.Errorf("exchange %s is there", name)
		}
	}
}

// TestDeadLettersByHeaders leads dead letters by their headers and by how they died,
// and spreads them by what the exchange hashes.
func TestDeadLettersByHeaders(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.must(exchange("dead", "headers", true, false, false,
		amqp.Table{"alternate-exchange": "hash"})(c))
	c.must(exchange("hash", "x-consistent-hash", true, false, false,
		amqp.Table{"hash-header": "h"})(c))
	for _, name := range []string{"rejected", "urgent", "one", "two"} {
		c.queue(name)
	}
	c.must(c.QueueBind("rejected", "", "dead", false, amqp.Table{
		"x-match": "all-with-x", "x-first-death-reason": "rejected", "kind": "a",
	}))
	c.must(c.QueueBind("urgent", "", "dead", false, amqp.Table{"urgent": true}))
	c.must(c.QueueBind("one", "1", "hash", false, nil))
	c.must(c.QueueBind("two", "1", "hash", false, nil))
	_, err := c.QueueDeclare("q", true, false, false, false,
		amqp.Table{"x-dead-letter-exchange": "dead"})
	c.must(err)
	d, err := c.Consume("q", "", false, false, false, false, nil)
	c.must(err)
	headers := []amqp.Table{{"kind": "a"}, {"kind": "a", "urgent": true}, {"kind": "b"}}
	for range 3 { // by nothing but this header
		headers = append(headers, amqp.Table{"h": "same", "x-first-death-reason": "rejected"})
	}
	for _, h := range headers {
		p := amqp.Publishing{Headers: h}
		c.must(c.PublishWithContext(t.Context(), "", "q", false, false, p))
		c.must(next(t, d).Reject(false))
	}
	c.settled()
	c.counts(map[string]int{"q": 0, "rejected": 2, "urgent": 1})
	if one, two := c.count("one"), c.count("two"); one+two != 4 || max(one, two) < 3 {
		t.Errorf("%d and %d are spread", one, two)
	}
}

// settled returns when what this connection settled was done.
func (c *client) settled() {
	c.t.Helper()
	c.queue("settled")
	c.must(c.Confirm(false))
	c.confirmed("", "settled", amqp.Publishing{})
}
