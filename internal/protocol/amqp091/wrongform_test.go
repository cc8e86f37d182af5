package amqp091

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// olderRequests are the rows of TestErrorsAreRabbitMQs, for the real one.
func olderRequests() (rows []wrong) {
	for _, list := range [][]failing{
		topologyErrors(), nameErrors(), messageErrors(), exchangeErrors(), modeErrors(),
	} {
		for _, f := range list {
			w := wrong{failing: f}
			switch f.name {
			case "denied", "may not write", "denied alternate", "write to the destination":
				verb, rest, _ := strings.Cut(f.text, " - ")
				_, what, _ := strings.Cut(rest, " access ")
				w.old = verb + " - access " + what
			case "unknown type": // 503 in 3.10: rabbit_exchange, check_type
				w.old = "-"
			case "timeout", "stream", "many consumers", "too large":
				w.old = "-" // what is not built, and bounds that are set here
			}
			rows = append(rows, w)
		}
	}
	return rows
}

// wrongNames are names with line ends, which RabbitMQ takes out only where a queue or
// exchange is declared, deleted or bound.
func wrongNames() []wrong {
	missing := func(name string, do action) wrong {
		return wrong{failing: failing{"line end in " + name, do, 404,
			"NOT_FOUND - no queue 'q\n' in vhost '/'", false}}
	}
	return []wrong{
		missing("purge", func(c *client) error {
			_, err := c.QueuePurge("q\n", false)
			return err
		}),
		missing("get", func(c *client) error {
			_, _, err := c.Get("q\n", true)
			return err
		}),
		missing("consume", eat("q\n", "", false, nil)),
		{failing: failing{"line end in publish", send("x\r", "", false, amqp.Publishing{}), 404,
			"NOT_FOUND - no exchange 'x\r' in vhost '/'", false}},
		{failing: failing{"line end in declare", declare("q\r\n", false, false, false, nil), 406,
			failed + "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' " +
				"but current is 'true'", false}},
		{failing: failing{"line end in bind", func(c *client) error {
			return c.QueueBind("none\n", "", "x\r", false, nil)
		}, 404, "NOT_FOUND - no queue 'none' in vhost '/'", false}},
	}
}

// wrongForms are values that RabbitMQ shows as Erlang terms.
func wrongForms() []wrong {
	match := func(v any) action {
		return func(c *client) error {
			return c.QueueBind("q", "", "amq.headers", false, amqp.Table{"x-match": v})
		}
	}
	invalidMatch := func(name string, v any, text string) wrong {
		return wrong{failing: failing{name, match(v), 406,
			failed + "Invalid x-match field " + text, false}}
	}
	const expected = "; expected longstr"
	received := func(name string, v any, text string) wrong {
		return wrong{failing: failing{name,
			declare("q", true, false, false, amqp.Table{"x-max-length": v}), 406,
			failed + "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received " +
				"the value '" + text + " but current is none", false}}
	}
	return []wrong{
		{failing: failing{"type with a dash", exchange("x", "x-consistent-hash", true, false,
			false, nil), 406, failed + "inequivalent arg 'type' for exchange 'x' in vhost '/': " +
			"received ''x-consistent-hash'' but current is 'topic'", false}},
		invalidMatch("x-match of octets", []byte("b"), `type binary (value <<"b">>)`+expected),
		invalidMatch("x-match of a number", int64(5), "type long (value 5)"+expected),
		invalidMatch("x-match of nothing", nil, "type void (value undefined)"+expected),
		invalidMatch("empty x-match", "", "value <<>>; "+
			"expected all, any, all-with-x, or any-with-x"),
		received("a decimal", amqp.Decimal{Scale: 1, Value: 15}, "{1,15}' of type 'decimal'"),
		received("a table", amqp.Table{"a": "b"}, `[{<<"a">>,longstr,<<"b">>}]' of type 'table'`),
		received("an array", []any{int32(1), true}, "[{signedint,1},{bool,true}]' of type 'array'"),
		received("an empty array", []any{}, "[]' of type 'array'"),
		received("void", nil, "undefined' of type 'void'"),
		received("octets", []byte("x"), "x' of type 'binary'"),
		{failing: failing{"answer first", send("", "q", false, amqp.Publishing{
			ReplyTo: directReplyTo, Expiration: "x",
		}), 406, failed + "fast reply consumer does not exist", false}},
		{failing: failing{"ack of zero", func(c *client) error { return c.Ack(0, false) }, 406,
			failed + "unknown delivery tag 0", false}},
		{failing: failing{"reject of zero", func(c *client) error { return c.Reject(0, true) }, 406,
			failed + "unknown delivery tag 0", false}},
	}
}

// TestUnbindAnothers leaves a binding that is not there alone whoever has its queue,
// and refuses to remove one that is.
func TestUnbindAnothers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, _ bool) {
		c, other := connect(t, s), connect(t, s)
		c.must(declare("mine", false, false, true, nil)(c))
		c.must(c.QueueBind("mine", "k", "amq.direct", false, nil))
		other.must(other.QueueUnbind("mine", "another", "amq.direct", nil))
		f := failing{"", func(c *client) error {
			return c.QueueUnbind("mine", "k", "amq.direct", nil)
		}, 405, lockedQueue, false}
		f.run(t, s)
	})
}

// TestExclusiveConsumerOfQuorum gets its deliveries beside others: quorum queues do not
// know the flag.
func TestExclusiveConsumerOfQuorum(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, _ bool) {
		c := connect(t, s)
		c.fresh("alone in quorum", amqp.Table{"x-queue-type": "quorum"})
		c.must(eat("alone in quorum", "", true, nil)(c))
		c.must(eat("alone in quorum", "", false, nil)(c))
	})
}

// TestGetCountsWhatRemains does not count a message that is over already.
func TestGetCountsWhatRemains(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, _ bool) {
		c := connect(t, s)
		c.fresh("remains", nil)
		c.send("", "remains", text("stays"))
		c.send("", "remains", amqp.Publishing{Expiration: "0"})
		if d := c.take("remains"); string(d.Body) != "stays" || d.MessageCount != 0 {
			t.Errorf("%s, and %d remain", d.Body, d.MessageCount)
		}
	})
}
