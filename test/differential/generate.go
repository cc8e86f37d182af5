package differential

import (
	"fmt"
	"math/rand/v2"

	"coffer/internal/protocol/amqp091/wire"
)

// Things that scripts make. Queues whose names begin with k are of the quorum kind:
// their answers come later, so that what is published to them is confirmed.
var (
	queueNames    = [...]string{"q1", "q2", "q3", "q4", "dead", "k1", "k2", "über \"q\""}
	exchangeNames = [...]string{"x1", "x2", "x3", "x4", "xk", "alternative"}
	tags          = [...]string{"c1", "c2", "c3", ""}
)

// generator makes steps. Each depends only on the seed and on the steps before.
type generator struct {
	*rand.Rand
	queues    map[string]*wire.QueueDeclare // as they are right in this script
	exchanges map[string]*wire.ExchangeDeclare
	consumed  map[string]string // the queue that consumers of a channel have
	messages  int

	// Kinds of scripts. In one with queues of priorities nothing is over at once: RabbitMQ
	// sees what is over only at the head of the whole queue, Coffer at the head of each
	// priority. Nor in one with queues of a length: RabbitMQ looks at the length first and
	// gives another reason. There little is requeued, too, since RabbitMQ looks at the
	// length before it delivers what came back, Coffer afterwards, and there are limits of
	// whole channels, which RabbitMQ lowers after what came back was delivered.
	ranked, limited bool

	// What probably is there by now.
	declared []string // queues
	made     []string // exchanges
	fanned   bool     // the exchange for queues of the quorum kind
	sources  []source // of deliveries
	askers   []source // consumers of answers
	txs      []source // channels with transactions
}

// source is a consumer of a channel, or its basic.get.
type source struct {
	conn    byte
	channel uint16
	tag     string
}

// generate makes a script of so many steps.
func generate(seed uint64, number uint64, steps int) []step {
	g := &generator{
		Rand:   rand.New(rand.NewPCG(seed, number)),
		queues: map[string]*wire.QueueDeclare{}, exchanges: map[string]*wire.ExchangeDeclare{},
		consumed: map[string]string{},
	}
	g.ranked, g.limited = g.chance(30), g.chance(40)
	for _, q := range queueNames {
		g.queues[q] = g.rightQueue(q)
	}
	for _, x := range exchangeNames {
		g.exchanges[x] = g.rightExchange(x)
	}
	script := []step{{conn: 'A', channel: 1, method: g.queues["dead"]}}
	for len(script) < steps {
		early := len(script) < 15
		script = append(script, g.step(early))
	}
	return script
}

// choice is a kind of step and how often it is taken.
type choice struct {
	weight int
	make   func(*generator, *step)
}

// choices are all kinds of steps.
var choices = [...]choice{
	{9, (*generator).declareQueue}, {2, (*generator).deleteQueue}, {2, (*generator).purge},
	{6, (*generator).declareExchange}, {1, (*generator).deleteExchange},
	{10, (*generator).bind}, {3, (*generator).unbind},
	{5, (*generator).bindExchange}, {2, (*generator).unbindExchange},
	{40, (*generator).publish}, {16, (*generator).get}, {14, (*generator).consume},
	{4, (*generator).cancel}, {14, (*generator).ack}, {9, (*generator).nack},
	{7, (*generator).reject}, {3, (*generator).recover}, {4, (*generator).qos},
	{2, (*generator).tx}, {5, (*generator).endTx}, {1, (*generator).confirm},
	{3, (*generator).closeChannel}, {1, (*generator).closeConnection}, {1, (*generator).cut},
	{3, (*generator).askReplies}, {4, (*generator).answer}, {1, (*generator).misuse},
	{1, (*generator).malformed}, {12, (*generator).die}, {8, (*generator).mourn},
}

// first are the kinds of the first steps.
var first = [...]choice{
	{10, (*generator).declareQueue}, {5, (*generator).declareExchange}, {5, (*generator).bind},
	{2, (*generator).bindExchange},
}

func (g *generator) step(early bool) step {
	list := choices[:]
	if early {
		list = first[:]
	}
	total := 0
	for _, c := range list {
		total += c.weight
	}
	n := g.IntN(total)
	for _, c := range list {
		if n -= c.weight; n < 0 {
			st := step{conn: "AAAB"[g.IntN(4)], channel: uint16(1 + g.IntN(3))}
			c.make(g, &st)
			return st
		}
	}
	panic("unreachable")
}

// chance is true so many times of a hundred.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// one gives one of a list.
func one[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// queue gives the name of a queue, now and then one that is not there or odd.
func (g *generator) queue() string {
	switch n := g.IntN(100); {
	case n < 88 && len(g.declared) > 0:
		return one(g, g.declared...)
	case n < 94:
		return one(g, queueNames[:]...)
	case n < 96:
		return ""
	case n < 98:
		return generated
	}
	return one(g, "nowhere", "amq.mine", "amq.rabbitmq.reply-to", "q\n1", long)
}

// classic gives the name of a queue that is not of the quorum kind.
func (g *generator) classic() string {
	if q := g.queue(); g.chance(85) && q != "" && q[0] != 'k' {
		return q
	}
	return one(g, "q1", "q2", "q3", "q4", "dead", queueNames[7])
}

// exchange gives the name of an exchange.
func (g *generator) exchange() string {
	switch n := g.IntN(100); {
	case n < 70 && len(g.made) > 0:
		return one(g, g.made...)
	case n < 92:
		return one(g, "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match")
	case n < 96:
		return one(g, "x1", "x2", "x3", "x4", "alternative")
	case n < 98:
		return ""
	}
	return one(g, "nowhere", "amq.mine", "x\r1", long)
}

// long is a name of the most octets that a name can have.
const long = "0123456789012345678901234567890123456789012345678901234567890123" +
	"0123456789012345678901234567890123456789012345678901234567890123" +
	"0123456789012345678901234567890123456789012345678901234567890123" +
	"012345678901234567890123456789012345678901234567890123456789012"

// key gives a routing key or a pattern.
func (g *generator) key() string {
	return one(g, "", "a", "b", "a.b", "a.b.c", "a.*", "*.b", "#", "a.#", "#.c", "*", "1", "..",
		"q1", "q2", "dead")
}

// text is a body that no other message of the script has.
func (g *generator) text() string {
	g.messages++
	body := fmt.Sprint("m", g.messages)
	switch n := g.IntN(40); n {
	case 0:
		return ""
	case 1:
		return body + fmt.Sprintf("%0*d", 140_000, 7) // two frames
	}
	return body
}
