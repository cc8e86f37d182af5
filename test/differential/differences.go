package differential

import "regexp"

// difference explains lines of the two sides that differ.
type difference struct {
	name   string
	reason string
	source string // of what RabbitMQ does, or of what Coffer promises

	where  string         // in which streams: a part of their names; empty: all
	rabbit *regexp.Regexp // in RabbitMQ 3.10's lines …
	now    string         // … stands for this
	coffer *regexp.Regexp // in Coffer's lines …
	was    string         // … stands for this
}

// differences are all that remain in scripts. How often each explained something is in
// the test's log. What is not in scripts, since the two would go different ways from
// there on, or since one of them crashes:
//   - properties with a delivery mode that is neither 1 nor 2: 3.10 closes the channel, 4
//     takes them as not persistent (mc_amqpl, essential_properties);
//   - an unknown exchange type: 3.10 closes the connection with 503, 4 the channel with
//     406 (rabbit_exchange, check_type);
//   - x-queue-leader-locator on classic queues, which 3.10 refuses, and streams, which
//     Coffer does;
//   - x-queue-master-locator that is no text, and a decimal where a text is: 3.10 crashes;
//   - two wrong things in one message, of which the user id is one: 4 sees it last
//     (rabbit_channel, basic.publish), 3.10 first;
//   - what is over at once, in queues of priorities or of a length, and what comes back
//     to queues of a length: see generator;
//   - methods with content that only servers send.
var differences = [...]difference{
	{
		name:   "headers of the last death",
		reason: "RabbitMQ 4 tells of the last death in three headers more; 3.10 has none",
		source: "RabbitMQ 4.0, deps/rabbit/src/mc.erl, record_death; docs/dlx",
		coffer: regexp.MustCompile(` x-last-death-(exchange|queue|reason)=` +
			`S\("(?:[^"\\]|\\.)*"\)`),
	},
	{
		name: "time to live of the dead",
		reason: "RabbitMQ 3.10 does not tell the time to live of a dead message whose " +
			"properties it has not in memory as a record; 4 always tells it",
		source: "RabbitMQ 4.0, deps/rabbit/src/mc_amqpl.erl, death_table; 3.10's " +
			"rabbit_dead_letter, per_msg_ttl_header",
		coffer: regexp.MustCompile(` original-expiration=S\("\d+"\)`),
	},
	{
		name: "copies of the dead",
		reason: "the header CC stays in RabbitMQ 4 when a queue has a key for its dead " +
			"letters, and only the keys in it mean nothing any more; 3.10 takes it out",
		source: "RabbitMQ 4.0, deps/rabbit/src/rabbit_dead_letter.erl, publish; 3.10's make_msg",
		coffer: regexp.MustCompile(`\bCC=A\(\[[^\]]*\]\) (.*x-death=)`),
		was:    "$1",
	},
	{
		name: "octets of wrong frames",
		reason: "RabbitMQ quotes the octets of a frame that it cannot read; they may be a " +
			"password and Coffer writes its refusals into the log, so it quotes none",
		source: "internal/protocol/amqp091/wire, Error",
		rabbit: regexp.MustCompile(`((?:FRAME_ERROR|UNEXPECTED_FRAME) - .*)<<.+>>`),
		now:    "$1<<...>>",
	},
	{
		name: "crash over a wrong header",
		reason: "RabbitMQ's channel crashes over properties that it cannot read, and the " +
			"client is told of an internal error; Coffer names the frame",
		source: "rabbit_binary_parser, parse_table: no clause for it",
		rabbit: regexp.MustCompile(`^connection\.close ReplyCode=541 ReplyText="INTERNAL_ERROR"$`),
		now: `connection.close ReplyCode=501 ReplyText="FRAME_ERROR - cannot decode content ` +
			`header" ClassID=60 MethodID=40`,
	},
	{
		name: "a body too long",
		reason: "RabbitMQ counts the octets of a body below zero and waits for more of it; " +
			"Coffer sees that the frame holds too much",
		source: "rabbit_command_assembler, process: content_body",
		rabbit: regexp.MustCompile(`505 ReplyText="UNEXPECTED_FRAME - expected content body, got ` +
			`non content body frame instead"`),
		now: `501 ReplyText="FRAME_ERROR - content body frame exceeds remaining content size"`,
	},
	{
		name:   "a huge body",
		reason: "as above: RabbitMQ 3.10 has no bound of a body and waits for it",
		source: "as above; Coffer's bound is that of RabbitMQ 4",
		rabbit: regexp.MustCompile(`501 (ReplyText="FRAME_ERROR - content body) frame exceeds ` +
			`remaining content size"`),
		now:    `501 $1 size 1099511627776 exceeds maximum allowed size 536870912"`,
		coffer: regexp.MustCompile(`content body frame exceeds remaining content size`),
		was:    "content body size 1099511627776 exceeds maximum allowed size 536870912",
	},
	{
		name: "crash over an unknown method",
		reason: "RabbitMQ's connection crashes over a method that it does not know, and is " +
			"cut; Coffer says that it knows none",
		source: "rabbit_framing_amqp_0_9_1, method_has_content: no clause for it",
		rabbit: regexp.MustCompile(`^end$`),
		now:    "no such method",
		coffer: regexp.MustCompile(`^connection\.close ReplyCode=540 ReplyText="NOT_IMPLEMENTED` +
			` - unknown class or method .*$`),
		was: "no such method",
	},
	{
		name:   "deliveries counted from nothing",
		reason: "a message that nobody had has no count in RabbitMQ 4; 3.10 tells basic.get of 0",
		source: "RabbitMQ 4.1, deps/rabbit/src/rabbit_fifo_client.erl, add_delivery_count_header",
		rabbit: regexp.MustCompile(` headers=\{x-delivery-count=l\(0\)\}$|` +
			` x-delivery-count=l\(0\)|x-delivery-count=l\(0\) `),
		coffer: regexp.MustCompile(` headers=\{\}$`),
	},
	{
		name: "who gets is a consumer",
		reason: "RabbitMQ's quorum queues count an unsettled basic.get as a consumer; " +
			"Coffer counts those of basic.consume",
		source: "rabbit_fifo, query_consumer_count: dequeue makes a consumer that lives once",
		where:  "queue k",
		rabbit: regexp.MustCompile(`, \d+ consumers$`),
		now:    ", some consumers",
		coffer: regexp.MustCompile(`, \d+ consumers$`),
		was:    ", some consumers",
	},
	{
		name:   "who gets is a consumer, when declared",
		reason: "as above",
		source: "as above",
		rabbit: regexp.MustCompile(`(queue\.declare-ok Queue="k\d".*) ConsumerCount=\d+`),
		now:    "$1",
		coffer: regexp.MustCompile(`(queue\.declare-ok Queue="k\d".*) ConsumerCount=\d+`),
		was:    "$1",
	},
}
