package amqp091

import (
	"flag"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// With -rabbitmq the table of wrong requests is asked of a RabbitMQ 3.10 at that
// address, too. It needs a user u with the password p, who may configure all but
// what begins with "denied", write all but "secret" and read all but "hidden".
var rabbit = flag.String("rabbitmq", "", "address of a RabbitMQ to compare with")

// What RabbitMQ 4 says otherwise than 3.10, and where that stands in its source
// (deps/rabbit/src, 4.1):
//   - refusals name the permission: check_resource_access in rabbit_access_control;
//   - classic queues know x-queue-leader-locator: capabilities in
//     rabbit_classic_queue;
//   - the header CC stays when a queue has a key for its dead letters, and three
//     headers tell of the last death: record_death in mc, publish in
//     rabbit_dead_letter.
//
// A delivery limit that is no number is refused here only: RabbitMQ keeps it, and
// the queue has no limit then.

// wrong is a request that is refused.
type wrong struct {
	failing
	old string // what RabbitMQ 3.10 says, where 4 says something else
}

// TestWrongRequests asks for what cannot be. The texts are those of RabbitMQ
// 4.1; in old is what 3.10 says instead.
func TestWrongRequests(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Denied["exchange secret write"] = true
	e.Denied["queue hidden read"] = true
	ours := serveTest(t, e, Config{})
	rows := wrongRequests()
	others := olderRequests() // TestErrorsAreRabbitMQs asks them here
	if n := len(rows) + len(others); n < 160 {
		t.Fatalf("%d rows", n)
	}
	askAll(t, ours, rows)
	if *rabbit == "" {
		return
	}
	rows = append(rows, others...)
	for i := range rows {
		switch old := rows[i].old; old {
		case "":
		case "-":
			rows[i].code = 0
		default:
			rows[i].text = old
		}
	}
	askAll(t, &service{addr: *rabbit}, rows)
}

func askAll(t *testing.T, s *service, rows []wrong) {
	connect(t, s).prepareWrong()
	for _, row := range rows {
		if row.code == 0 { // 3.10 has no such thing
			continue
		}
		t.Run(row.name, func(t *testing.T) { row.run(t, s) })
	}
}

func wrongRequests() (rows []wrong) {
	for _, list := range [][]wrong{
		wrongNumbers(), wrongTexts(), wrongKinds(), unequal(), wrongUse(), wrongMessages(),
		wrongNames(), wrongForms(),
	} {
		rows = append(rows, list...)
	}
	return rows
}

func (c *client) prepareWrong() {
	c.prepare()
	for name, args := range map[string]amqp.Table{
		"limited": {
			"x-message-ttl": int32(1000), "x-dead-letter-exchange": "x", "x-max-length": int32(10),
		},
		"single":   {"x-single-active-consumer": true},
		"ranked":   {"x-max-priority": int32(5)},
		"qq":       {"x-queue-type": "quorum"},
		"qqsingle": {"x-queue-type": "quorum", "x-single-active-consumer": true},
	} {
		c.must(declare(name, true, false, false, args)(c))
	}
}

const (
	failed   = "PRECONDITION_FAILED - "
	queueN   = " for queue 'n' in vhost '/'"
	classicN = queueN + " of queue type rabbit_classic_queue"
	quorumN  = queueN + " of queue type rabbit_quorum_queue"
)

// invalid is a durable queue "n" with an argument whose value is refused.
func invalid(key string, value any, text, old string, more ...any) wrong {
	args := amqp.Table{key: value}
	for i := 0; i+1 < len(more); i += 2 {
		args[more[i].(string)] = more[i+1]
	}
	w := wrong{failing: failing{
		key, declare("n", true, false, false, args), 406,
		failed + "invalid arg '" + key + "'" + text, false,
	}}
	if w.old = old; old != "" && old != "-" {
		w.old = failed + "invalid arg '" + key + "'" + old
	}
	return w
}

// value is invalid with the same text in both versions.
func value(key string, value any, text string, more ...any) wrong {
	return invalid(key, value, queueN+": "+text, "", more...)
}

// noNumber is an argument that is no integer.
func noNumber(key string, v any, kind string, more ...any) wrong {
	return invalid(key, v, queueN+`: "expected integer, got `+kind+`"`,
		"", more...)
}

func wrongNumbers() []wrong {
	const tooLong = int64(315_360_000_001) // ten years and a millisecond
	return []wrong{
		noNumber("x-message-ttl", "1", "longstr"),
		noNumber("x-message-ttl", 1.5, "double"),
		noNumber("x-message-ttl", true, "bool"),
		value("x-message-ttl", int32(-1), "{value_negative,-1}"),
		value("x-message-ttl", tooLong, "{value_too_large,315360000001}"),
		noNumber("x-expires", "a", "longstr"),
		value("x-expires", int32(0), "{value_zero,0}"),
		value("x-expires", int8(-5), "{value_negative,-5}"),
		value("x-expires", tooLong, "{value_too_large,315360000001}"),
		noNumber("x-max-length", "5", "longstr"),
		value("x-max-length", int64(-1), "{value_negative,-1}"),
		noNumber("x-max-length-bytes", amqp.Table{}, "table"),
		value("x-max-length-bytes", int16(-2), "{value_negative,-2}"),
		noNumber("x-max-priority", "5", "longstr"),
		value("x-max-priority", int32(256), "{max_value_exceeded,256}"),
		value("x-max-priority", int32(-1), "{value_negative,-1}"),
		noNumber("x-queue-version", "2", "longstr"),
		value("x-queue-version", int32(3), `"unsupported queue version '3'"`),
		value("x-queue-version", int32(-1), "{value_negative,-1}"),
		noNumber("x-max-in-memory-length", "1", "longstr", "x-queue-type", "quorum"),
		value("x-max-in-memory-bytes", int32(-1), "{value_negative,-1}",
			"x-queue-type", "quorum"),
		value("x-quorum-initial-group-size", int32(0), "{value_zero,0}",
			"x-queue-type", "quorum"),
		invalid("x-delivery-limit", "a", queueN+`: "expected integer, got longstr"`, "-",
			"x-queue-type", "quorum"),
	}
}

func wrongTexts() []wrong {
	return []wrong{
		value("x-overflow", "keep", "invalid_overflow"),
		value("x-overflow", int32(1), "{unacceptable_type,signedint}"),
		value("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"),
		value("x-dead-letter-routing-key", int32(5), "{unacceptable_type,signedint}",
			"x-dead-letter-exchange", ""),
		value("x-single-active-consumer", "true", "{unacceptable_type,longstr}"),
		value("x-single-active-consumer", int64(1), "{unacceptable_type,long}"),
		value("x-queue-mode", "fast", `"unsupported queue mode 'fast'"`),
		value("x-queue-mode", int32(5), "{unacceptable_type,signedint}"),
		value("x-queue-type", "y", `"unsupported queue type 'y'"`),
		value("x-queue-type", int32(5), "{unacceptable_type,signedint}"),
		value("x-dead-letter-strategy", "never", "invalid_dlx_strategy",
			"x-queue-type", "quorum"),
		value("x-dead-letter-strategy", true, "{unacceptable_type,bool}",
			"x-queue-type", "quorum"),
		value("x-queue-leader-locator", "z", "invalid_queue_locator_arg",
			"x-queue-type", "quorum"),
		invalid("x-queue-leader-locator", "z", queueN+": invalid_queue_locator_arg", classicN),
		{failing: failing{"dead letters to a number",
			declare("n", true, false, false, amqp.Table{"x-dead-letter-exchange": int32(5)}), 406,
			failed + "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'n' " +
				"in vhost '/'", false}},
		{failing: failing{"dead letters to what may not be written",
			declare("n", true, false, false, amqp.Table{"x-dead-letter-exchange": "secret"}), 403,
			"ACCESS_REFUSED - write access to exchange 'secret' in vhost '/' refused for user 'u'",
			false},
			old: "ACCESS_REFUSED - access to exchange 'secret' in vhost '/' refused for user 'u'"},
		{failing: failing{"dead letters of what may not be read",
			declare("hidden", true, false, false, amqp.Table{"x-dead-letter-exchange": "x"}), 403,
			"ACCESS_REFUSED - read access to queue 'hidden' in vhost '/' refused for user 'u'",
			false},
			old: "ACCESS_REFUSED - access to queue 'hidden' in vhost '/' refused for user 'u'"},
	}
}

func wrongKinds() []wrong {
	foreign := func(key string, v any, text string, more ...any) wrong {
		return invalid(key, v, text, "", more...)
	}
	quorum := func(name string, queue string, durable, autoDelete, exclusive bool, text string,
	) wrong {
		args := amqp.Table{"x-queue-type": "quorum"}
		return wrong{failing: failing{name, declare(queue, durable, autoDelete, exclusive, args),
			406, failed + text, false}}
	}
	return []wrong{
		foreign("x-delivery-limit", int32(3), classicN),
		foreign("x-dead-letter-strategy", "at-most-once", classicN),
		foreign("x-max-in-memory-length", int32(3), classicN),
		foreign("x-max-in-memory-bytes", int32(3), classicN),
		foreign("x-quorum-initial-group-size", int32(3), classicN),
		foreign("x-max-age", "1D", classicN),
		foreign("x-stream-max-segment-size-bytes", int32(3), classicN),
		foreign("x-initial-cluster-size", int32(3), classicN),
		foreign("x-max-priority", int32(3), quorumN, "x-queue-type", "quorum"),
		foreign("x-queue-mode", "lazy", quorumN, "x-queue-type", "quorum"),
		foreign("x-queue-version", int32(2), quorumN, "x-queue-type", "quorum"),
		foreign("x-max-age", "1D", quorumN, "x-queue-type", "quorum"),
		quorum("transient quorum", "n", false, false, false,
			"invalid property 'non-durable' for queue 'n' in vhost '/'"),
		quorum("exclusive quorum", "n", true, false, true,
			"invalid property 'exclusive-owner' for queue 'n' in vhost '/'"),
		quorum("auto-delete quorum", "n", true, true, false,
			"invalid property 'auto-delete' for queue 'n' in vhost '/'"),
		quorum("server-named quorum", "", true, false, false,
			"Cannot declare a server-named queue for type rabbit_quorum_queue"),
	}
}

// unequal are declarations of queues that are there, with other arguments.
func unequal() []wrong {
	again := func(name, queue, text string, args amqp.Table) wrong {
		return wrong{failing: failing{name, declare(queue, true, false, false, args), 406,
			failed + "inequivalent arg " + text, false}}
	}
	const limited = " for queue 'limited' in vhost '/': "
	const single = " for queue 'single' in vhost '/': "
	return []wrong{
		again("nothing", "limited", "'x-message-ttl'"+limited+
			"received none but current is the value '1000' of type 'signedint'", nil),
		again("another number", "limited", "'x-message-ttl'"+limited+
			"received '2000' but current is '1000'", amqp.Table{"x-message-ttl": int64(2000)}),
		again("a number as text", "limited", "'x-message-ttl'"+limited+
			"received '1000' but current is '1000'", amqp.Table{"x-message-ttl": "1000"}),
		again("a real number", "limited", "'x-message-ttl'"+limited+
			"received '1000.5' but current is '1000'", amqp.Table{"x-message-ttl": 1000.5}),
		again("another exchange", "limited", "'x-dead-letter-exchange'"+limited+
			"received 'y' but current is 'x'", amqp.Table{"x-message-ttl": int64(1000),
			"x-dead-letter-exchange": "y", "x-max-length": int32(11)}),
		again("another length", "limited", "'x-max-length'"+limited+
			"received '11' but current is '10'", amqp.Table{"x-message-ttl": int64(1000),
			"x-dead-letter-exchange": "x", "x-max-length": int32(11)}),
		again("more", "q", "'x-overflow' for queue 'q' in vhost '/': "+
			"received the value 'drop-head' of type 'longstr' but current is none",
			amqp.Table{"x-overflow": "drop-head"}),
		again("more of a wrong type", "q", "'x-expires' for queue 'q' in vhost '/': "+
			"received the value 'true' of type 'bool' but current is none",
			amqp.Table{"x-expires": true}),
		again("not single", "single", "'x-single-active-consumer'"+single+
			"received 'false' but current is 'true'",
			amqp.Table{"x-single-active-consumer": false}),
		again("other priorities", "ranked", "'x-max-priority' for queue 'ranked' in vhost '/': "+
			"received '4' but current is '5'", amqp.Table{"x-max-priority": int16(4)}),
		again("classic as quorum", "q", "'x-queue-type' for queue 'q' in vhost '/': "+
			"received the value 'quorum' of type 'longstr' but current is none",
			amqp.Table{"x-queue-type": "quorum"}),
		again("quorum as classic", "qq", "'x-queue-type' for queue 'qq' in vhost '/': "+
			"received 'classic' but current is 'quorum'", amqp.Table{"x-queue-type": "classic"}),
		again("quorum without a type", "qq", "'x-queue-type' for queue 'qq' in vhost '/': "+
			"received none but current is the value 'quorum' of type 'longstr'", nil),
		again("quorum with a limit", "qq", "'x-delivery-limit' for queue 'qq' in vhost '/': "+
			"received the value '3' of type 'signedint' but current is none",
			amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(3)}),
	}
}

func wrongUse() []wrong {
	use := func(name string, do action, code int, text string) wrong {
		return wrong{failing: failing{name, do, code, text, code == 540}}
	}
	get := func(queue string) action {
		return func(c *client) error {
			_, _, err := c.Get(queue, false)
			return err
		}
	}
	const priority = failed + "invalid arg 'x-priority' for queue 'q' in vhost '/': "
	return []wrong{
		{failing: failing{"priority as text",
			eat("q", "", false, amqp.Table{"x-priority": "high"}), 406,
			priority + `"expected integer, got longstr"`, false}},
		{failing: failing{"half a priority", eat("q", "", false, amqp.Table{"x-priority": 1.5}),
			406, priority + `"expected integer, got double"`, false}},
		use("classic offset", eat("q", "", false, amqp.Table{"x-stream-offset": "first"}), 406,
			failed+"invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type "+
				"rabbit_classic_queue"),
		use("quorum offset", eat("qq", "", false, amqp.Table{"x-stream-offset": "first"}), 406,
			failed+"invalid arg 'x-stream-offset' for queue 'qq' in vhost '/' of queue type "+
				"rabbit_quorum_queue"),
		use("alone where one is active", eat("single", "", true, nil), 403,
			"ACCESS_REFUSED - queue 'single' in vhost '/' in exclusive use"),
		use("get from a single quorum", get("qqsingle"), 405,
			"RESOURCE_LOCKED - cannot obtain access to locked queue 'qqsingle' in vhost '/'. "+
				"basic.get operations are not supported by quorum queues with single active "+
				"consumer"),
		use("consume from a quorum with a shared limit", func(c *client) error {
			if err := c.Qos(5, 0, true); err != nil {
				return err
			}
			return eat("qq", "", false, nil)(c)
		}, 540, "NOT_IMPLEMENTED - queue 'qq' in vhost '/' does not support global qos"),
		use("delete unused quorum", remove("qq", true, false), 540,
			"NOT_IMPLEMENTED - cannot delete queue 'qq' in vhost '/'. queue.delete operations "+
				"with if-unused flag set are not supported by quorum queues"),
		use("delete empty quorum", remove("qq", false, true), 540,
			"NOT_IMPLEMENTED - cannot delete queue 'qq' in vhost '/'. queue.delete operations "+
				"with if-empty flag set are not supported by quorum queues"),
		use("get another's", get("mine"), 405, lockedQueue),
		use("purge another's", func(c *client) error {
			_, err := c.QueuePurge("mine", false)
			return err
		}, 405, lockedQueue),
		use("bind another's", func(c *client) error {
			return c.QueueBind("mine", "", "x", false, nil)
		}, 405, lockedQueue),
		use("passive another's", func(c *client) error {
			_, err := c.QueueDeclarePassive("mine", false, false, false, false, nil)
			return err
		}, 405, lockedQueue),
		use("exclusive shared", declare("q", true, false, true, nil), 405,
			"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. "+
				"It could be originally declared on another connection or the exclusive property "+
				"value does not match that of the original declaration."),
		use("passive nothing", func(c *client) error {
			_, err := c.QueueDeclarePassive("amq.nothing", false, false, false, false, nil)
			return err
		}, 404, "NOT_FOUND - no queue 'amq.nothing' in vhost '/'"),
		use("passive without a name", func(c *client) error {
			_, err := c.QueueDeclarePassive("", false, false, false, false, nil)
			return err
		}, 404, "NOT_FOUND - no queue '' in vhost '/'"),
	}
}

func wrongMessages() (rows []wrong) {
	for _, x := range [][2]string{
		{"-1", "{value_negative,-1}"}, {"abc", "no_integer"}, {"10x", `{leftover_string,"x"}`},
		{"1.5", `{leftover_string,".5"}`}, {" 5", "no_integer"},
		{"315360000001", "{value_too_large,315360000001}"},
	} {
		rows = append(rows, wrong{failing: failing{"expiration " + x[0],
			send("", "q", false, amqp.Publishing{Expiration: x[0]}), 406,
			failed + "invalid expiration '" + x[0] + "': " + x[1], false}})
	}
	settle := func(name string, do action) wrong {
		return wrong{failing: failing{name, do, 406, failed + "unknown delivery tag 9", false}}
	}
	return append(rows,
		settle("nack", func(c *client) error { return c.Nack(9, false, true) }),
		settle("nack many", func(c *client) error { return c.Nack(9, true, false) }),
		settle("reject", func(c *client) error { return c.Reject(9, false) }),
		settle("ack many", func(c *client) error { return c.Ack(9, true) }),
		wrong{failing: failing{"BCC", send("", "q", false, amqp.Publishing{
			Headers: amqp.Table{"BCC": int32(1)}}), 406,
			failed + `invalid message: {unacceptable_type_in_header,"BCC",signedint}`, false}},
	)
}
