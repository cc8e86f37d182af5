package amqp091

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"
)

// exchangeErrors are of bindings and arguments of exchanges. RabbitMQ 3.10 gave each
// of these texts.
func exchangeErrors() []failing {
	const notEqual = "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange "
	alternate := func(v any) amqp.Table { return amqp.Table{"alternate-exchange": v} }
	bind := func(exchange, key string, args amqp.Table) action {
		return func(c *client) error {
			c.must(plainExchange("h", "headers")(c))
			c.must(plainExchange("w", "x-consistent-hash")(c))
			return c.QueueBind("q", key, exchange, false, args)
		}
	}
	onward := func(to, from string) action {
		return func(c *client) error { return c.ExchangeBind(to, "k", from, false, nil) }
	}
	hashed := func(args amqp.Table) action {
		return exchange("hashed", "x-consistent-hash", true, false, false, args)
	}
	return []failing{
		{"alternate missing", func(c *client) error {
			c.must(exchange("n", "topic", true, false, false, alternate("x"))(c))
			return exchange("n", "topic", true, false, false, nil)(c)
		}, 406, notEqual + "'n' in vhost '/': received none but current is the value 'x' " +
			"of type 'longstr'", false},
		{"other alternate", exchange("n", "topic", true, false, false, alternate("y")), 406,
			notEqual + "'n' in vhost '/': received 'y' but current is 'x'", false},
		{"new alternate", exchange("x", "topic", true, false, false, alternate(int32(5))), 406,
			notEqual + "'x' in vhost '/': received the value '5' of type 'signedint' but " +
				"current is none", false},
		{"alternate of a wrong type", exchange("m", "topic", true, false, false,
			alternate(int32(5))), 406, "PRECONDITION_FAILED - invalid type 'signedint' for arg " +
			"'alternate-exchange' in exchange 'm' in vhost '/'", false},
		{"denied alternate", exchange("m", "topic", true, false, false, alternate("secret")), 403,
			"ACCESS_REFUSED - write access to exchange 'secret' in vhost '/' refused " +
				"for user 'u'", false},
		{"x-match", bind("h", "", amqp.Table{"x-match": "foo"}), 406, "PRECONDITION_FAILED - " +
			`Invalid x-match field value <<"foo">>; ` +
			"expected all, any, all-with-x, or any-with-x", false},
		{"type of x-match", bind("h", "", amqp.Table{"x-match": true}), 406,
			"PRECONDITION_FAILED - Invalid x-match field type bool (value true); " +
				"expected longstr", false},
		{"no weight", bind("w", "abc", nil), 406,
			`PRECONDITION_FAILED - The binding key must be an integer: <<"abc">>`, false},
		{"empty weight", bind("w", "", nil), 406,
			"PRECONDITION_FAILED - The binding key must be an integer: <<>>", false},
		{"negative weight", bind("w", "-5", nil), 406,
			"PRECONDITION_FAILED - The binding key must be greater than 0", false},
		{"header and property", hashed(amqp.Table{"hash-header": "a", "hash-property": "b"}), 406,
			"PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive", false},
		{"hash of what", hashed(amqp.Table{"hash-property": "foo"}), 406,
			"PRECONDITION_FAILED - Unsupported property: foo", false},
		{"both ends are missing", onward("nodst", "nosrc"), 404,
			"NOT_FOUND - no exchange 'nosrc' in vhost '/'", false},
		{"no destination", onward("nodst", "x"), 404,
			"NOT_FOUND - no exchange 'nodst' in vhost '/'", false},
		{"from the default exchange", onward("x", ""), 403,
			"ACCESS_REFUSED - operation not permitted on the default exchange", false},
		{"to the default exchange", onward("", "x"), 403,
			"ACCESS_REFUSED - operation not permitted on the default exchange", false},
		{"write to the destination", onward("secret", "x"), 403,
			"ACCESS_REFUSED - write access to exchange 'secret' in vhost '/' refused " +
				"for user 'u'", false},
		{"neither queue nor exchange", func(c *client) error {
			return c.QueueBind("none", "", "nosrc", false, nil)
		}, 404, "NOT_FOUND - no exchange 'nosrc' in vhost '/'", false},
		{"source in use", func(c *client) error {
			c.must(plainExchange("s", "fanout")(c))
			c.must(onward("x", "s")(c))
			return c.ExchangeDelete("s", true, false)
		}, 406, "PRECONDITION_FAILED - exchange 's' in vhost '/' in use", false},
	}
}

func plainExchange(name, kind string) action {
	return exchange(name, kind, true, false, false, nil)
}

// modeErrors are of transactions and answers.
func modeErrors() []failing {
	const replies = "amq.rabbitmq.reply-to"
	hear := func(ack bool) action {
		return func(c *client) error {
			_, err := c.Consume(replies, "", !ack, false, false, false, nil)
			return err
		}
	}
	return []failing{
		{"tx after confirm", func(c *client) error { return errors.Join(c.Confirm(false), c.Tx()) },
			406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", false},
		{"confirm after tx", func(c *client) error { return errors.Join(c.Tx(), c.Confirm(false)) },
			406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", false},
		{"commit without tx", func(c *client) error { return c.TxCommit() }, 406,
			"PRECONDITION_FAILED - channel is not transactional", false},
		{"rollback without tx", func(c *client) error { return c.TxRollback() }, 406,
			"PRECONDITION_FAILED - channel is not transactional", false},
		{"answers with ack", hear(true), 406,
			"PRECONDITION_FAILED - reply consumer cannot acknowledge", false},
		{"answers twice", func(c *client) error { c.must(hear(false)(c)); return hear(false)(c) },
			406, "PRECONDITION_FAILED - reply consumer already set", false},
		{"ask without a consumer", send("", "q", false, amqp.Publishing{ReplyTo: replies}), 406,
			"PRECONDITION_FAILED - fast reply consumer does not exist", false},
		{"get answers", func(c *client) error {
			_, _, err := c.Get(replies, true)
			return err
		}, 404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'", false},
		{"no such asker", declare(replies+"x", false, false, false, nil), 404,
			"NOT_FOUND - no queue 'amq.rabbitmq.reply-tox' in vhost '/'", false},
	}
}
