package amqp091

import (
	"context"
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// failing is a method that RabbitMQ refuses, and its answer. do runs on a
// channel of a connection of its own, beside another connection's objects: the
// queues "q" (durable), "full" (one message), "busy" (a consumer) and "alone" (an
// exclusive consumer), the exclusive queue "mine" and the exchange "x".
type failing struct {
	name string
	do   action
	code int
	text string
	hard bool // the connection is closed, not only the channel
}

const lockedQueue = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' " +
	"in vhost '/'. It could be originally declared on another connection or the exclusive " +
	"property value does not match that of the original declaration."

type action = func(*client) error

func declare(name string, durable, autoDelete, exclusive bool, args amqp.Table) action {
	return func(c *client) error {
		_, err := c.QueueDeclare(name, durable, autoDelete, exclusive, false, args)
		return err
	}
}

func exchange(name, kind string, durable, autoDelete, internal bool, args amqp.Table) action {
	return func(c *client) error {
		return c.ExchangeDeclare(name, kind, durable, autoDelete, internal, false, args)
	}
}

func remove(name string, ifUnused, ifEmpty bool) action {
	return func(c *client) error {
		_, err := c.QueueDelete(name, ifUnused, ifEmpty, false)
		return err
	}
}

func eat(queue, tag string, exclusive bool, args amqp.Table) action {
	return func(c *client) error {
		_, err := c.Consume(queue, tag, false, exclusive, false, false, args)
		return err
	}
}

func send(exchange, key string, immediate bool, p amqp.Publishing) action {
	return func(c *client) error {
		return c.PublishWithContext(context.Background(), exchange, key, false, immediate, p)
	}
}

func (c *client) prepare() {
	c.queue("q")
	c.queue("full")
	c.put("full", "1")
	c.queue("busy")
	c.queue("alone")
	c.must(declare("mine", false, false, true, nil)(c))
	c.must(exchange("x", "topic", true, false, false, nil)(c))
	c.must(exchange("inner", "fanout", true, false, true, nil)(c))
	c.must(eat("busy", "", false, nil)(c))
	c.must(eat("alone", "", true, nil)(c))
	c.must(c.QueueBind("q", "k", "x", false, nil))
}

func TestErrorsAreRabbitMQs(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Denied["queue denied configure"] = true
	e.Denied["exchange amq.default write"] = false
	e.Denied["exchange secret write"] = true
	s := serveTest(t, e, Config{MaxMessage: 1 << 20, MaxConsumers: 5})
	connect(t, s).prepare()
	for _, list := range [][]failing{
		topologyErrors(), nameErrors(), messageErrors(), exchangeErrors(), modeErrors(),
	} {
		for _, tt := range list {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, s) })
		}
	}
}

func (tt *failing) run(t *testing.T, s *service) {
	c := connect(t, s)
	channel := c.NotifyClose(make(chan *amqp.Error, 1))
	whole := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	err := tt.do(c)
	got, ok := errors.AsType[*amqp.Error](err)
	if !ok || got == amqp.ErrClosed {
		got = receive(t, channel) // an asynchronous method, or one that was overtaken
	}
	if got.Code != tt.code || got.Reason != tt.text {
		t.Errorf("%d %q, want %d %q", got.Code, got.Reason, tt.code, tt.text)
	}
	if tt.hard {
		if e := receive(t, whole); e.Code != tt.code {
			t.Errorf("the connection: %v", e)
		}
		return
	}
	if _, err := c.conn.Channel(); err != nil {
		t.Errorf("the connection did not survive: %v", err)
	}
}

func topologyErrors() []failing {
	const queueQ, exchangeX = "for queue 'q' in vhost '/'", "for exchange 'x' in vhost '/'"
	passive := func(c *client) error {
		_, err := c.QueueDeclarePassive("none", false, false, false, false, nil)
		return err
	}
	return []failing{
		{"passive queue", passive, 404, "NOT_FOUND - no queue 'none' in vhost '/'", false},
		{"passive exchange", func(c *client) error {
			return c.ExchangeDeclarePassive("none", "direct", false, false, false, false, nil)
		}, 404, "NOT_FOUND - no exchange 'none' in vhost '/'", false},
		{"durable", declare("q", false, false, false, nil), 406,
			"PRECONDITION_FAILED - inequivalent arg 'durable' " + queueQ +
				": received 'false' but current is 'true'", false},
		{"auto-delete", declare("q", true, true, false, nil), 406,
			"PRECONDITION_FAILED - inequivalent arg 'auto_delete' " + queueQ +
				": received 'true' but current is 'false'", false},
		{"exclusive", declare("mine", false, false, true, nil), 405, lockedQueue, false},
		{"not exclusive", declare("mine", false, false, false, nil), 405, lockedQueue, false},
		{"reserved queue", declare("amq.mine", true, false, false, nil), 403,
			"ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", false},
		{"denied", declare("denied", true, false, false, nil), 403,
			"ACCESS_REFUSED - configure access to queue 'denied' in vhost '/' refused " +
				"for user 'u'", false},
		{"exchange type", exchange("x", "direct", true, false, false, nil), 406,
			"PRECONDITION_FAILED - inequivalent arg 'type' " + exchangeX +
				": received 'direct' but current is 'topic'", false},
		{"internal", exchange("x", "topic", true, false, true, nil), 406,
			"PRECONDITION_FAILED - inequivalent arg 'internal' " + exchangeX +
				": received 'true' but current is 'false'", false},
		{"unknown type", exchange("n", "y", true, false, false, nil), 406,
			"PRECONDITION_FAILED - unknown exchange type 'y'", false},
	}
}

func nameErrors() []failing {
	return []failing{
		{"default exchange", exchange("", "direct", true, false, false, nil), 403,
			"ACCESS_REFUSED - operation not permitted on the default exchange", false},
		{"reserved exchange", exchange("amq.n", "direct", true, false, false, nil), 403,
			"ACCESS_REFUSED - exchange name 'amq.n' contains reserved prefix 'amq.*'", false},
		{"system exchange", func(c *client) error {
			return c.ExchangeDelete("amq.topic", false, false)
		}, 403, "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' " +
			"not allowed", false},
		{"exchange in use", func(c *client) error { return c.ExchangeDelete("x", true, false) },
			406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", false},
		{"queue in use", remove("busy", true, false), 406,
			"PRECONDITION_FAILED - queue 'busy' in vhost '/' in use", false},
		{"queue not empty", remove("full", true, true), 406,
			"PRECONDITION_FAILED - queue 'full' in vhost '/' not empty", false},
		{"delete exclusive", remove("mine", false, false), 405, lockedQueue, false},
		{"bind nothing", func(c *client) error {
			return c.QueueBind("none", "", "x", false, nil)
		}, 404, "NOT_FOUND - no queue 'none' in vhost '/'", false},
		{"bind to nothing", func(c *client) error {
			return c.QueueBind("q", "", "none", false, nil)
		}, 404, "NOT_FOUND - no exchange 'none' in vhost '/'", false},
		{"bind default", func(c *client) error { return c.QueueBind("q", "", "", false, nil) },
			403, "ACCESS_REFUSED - operation not permitted on the default exchange", false},
		{"no last queue", func(c *client) error {
			return c.QueueBind("", "", "x", false, nil)
		}, 404, "NOT_FOUND - no previously declared queue", false},
	}
}

func messageErrors() []failing {
	return []failing{
		{"unknown tag", func(c *client) error { return c.Ack(7, false) }, 406,
			"PRECONDITION_FAILED - unknown delivery tag 7", false},
		{"no exchange", send("none", "", false, amqp.Publishing{}), 404,
			"NOT_FOUND - no exchange 'none' in vhost '/'", false},
		{"internal exchange", send("inner", "", false, amqp.Publishing{}), 403,
			"ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'", false},
		{"may not write", send("secret", "", false, amqp.Publishing{}), 403,
			"ACCESS_REFUSED - write access to exchange 'secret' in vhost '/' refused " +
				"for user 'u'", false},
		{"immediate", send("", "q", true, amqp.Publishing{}), 540,
			"NOT_IMPLEMENTED - immediate=true", true},
		{"user id", send("", "q", false, amqp.Publishing{UserId: "v"}), 406,
			"PRECONDITION_FAILED - user_id property set to 'v' but authenticated user was 'u'",
			false},
		{"bad CC", send("", "q", false, amqp.Publishing{Headers: amqp.Table{"CC": "q"}}), 406,
			"PRECONDITION_FAILED - invalid message: " +
				`{unacceptable_type_in_header,"CC",longstr}`, false},
		{"too large", send("", "q", false, amqp.Publishing{
			Body: []byte(strings.Repeat("x", 1<<20+1)),
		}), 406, "PRECONDITION_FAILED - message size 1048577 is larger than configured " +
			"max size 1048576", false},
		{"consume nothing", eat("none", "", false, nil), 404,
			"NOT_FOUND - no queue 'none' in vhost '/'", false},
		{"consume another's", eat("mine", "", false, nil), 405, lockedQueue, false},
		{"consume alone", eat("busy", "", true, nil), 403,
			"ACCESS_REFUSED - queue 'busy' in vhost '/' in exclusive use", false},
		{"consume with one alone", eat("alone", "", false, nil), 403,
			"ACCESS_REFUSED - queue 'alone' in vhost '/' in exclusive use", false},
		{"timeout", declare("n", true, false, false, amqp.Table{"x-consumer-timeout": 0}), 406,
			"PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'n' in vhost '/': " +
				"{value_zero,0}", false},
		{"stream", declare("n", true, false, false, amqp.Table{"x-queue-type": "stream"}), 540,
			"NOT_IMPLEMENTED - argument 'x-queue-type' for queue 'n' in vhost '/': " +
				"type 'stream' is not implemented", true},
		{"tag twice", func(c *client) error {
			if err := eat("q", "t", false, nil)(c); err != nil {
				return err
			}
			return eat("q", "t", false, nil)(c)
		}, 530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", true},
		{"many consumers", func(c *client) error {
			for range 6 {
				if err := eat("q", "", false, nil)(c); err != nil {
					return err
				}
			}
			return nil
		}, 530, "NOT_ALLOWED - reached maximum (5) of consumers per connection", true},
		{"prefetch size", func(c *client) error { return c.Qos(0, 1, false) }, 540,
			"NOT_IMPLEMENTED - prefetch_size!=0 (1)", true},
		{"recover", func(c *client) error { return c.Recover(false) }, 540,
			"NOT_IMPLEMENTED - requeue=false", true},
		{"flow", func(c *client) error { return c.Flow(false) }, 540,
			"NOT_IMPLEMENTED - active=false", true},
		{"get nothing", func(c *client) error {
			_, _, err := c.Get("none", true)
			return err
		}, 404, "NOT_FOUND - no queue 'none' in vhost '/'", false},
		{"purge nothing", func(c *client) error {
			_, err := c.QueuePurge("none", false)
			return err
		}, 404, "NOT_FOUND - no queue 'none' in vhost '/'", false},
	}
}
