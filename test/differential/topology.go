package differential

import (
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// huge is a time that no run lasts, in milliseconds.
const huge = 100_000_000

// rightQueue chooses what a queue is in this script.
func (g *generator) rightQueue(name string) *wire.QueueDeclare {
	m := &wire.QueueDeclare{Queue: name, Durable: g.chance(70)}
	if name[0] == 'k' {
		m.Durable = true
		m.Arguments = wire.Table{{Name: "x-queue-type", Value: wire.StringValue("quorum")}}
		for _, a := range quorumArguments {
			g.maybe(a, &m.Arguments, 12)
		}
		return m
	}
	m.AutoDelete, m.Exclusive = g.chance(8), g.chance(8)
	for _, a := range classicArguments {
		switch a.name {
		case "x-max-priority":
			if !g.ranked {
				continue
			}
		case "x-max-length", "x-max-length-bytes":
			if !g.limited {
				continue
			}
		case "x-message-ttl":
			if g.limited {
				a.values = a.values[1:2] // the long one
			}
		}
		g.maybe(a, &m.Arguments, 10)
	}
	if name == "dead" {
		m.AutoDelete, m.Exclusive, m.Arguments = false, false, nil
	} else if g.chance(25) {
		m.Arguments = append(m.Arguments,
			wire.Field{Name: "x-dead-letter-exchange", Value: wire.StringValue("")},
			wire.Field{Name: "x-dead-letter-routing-key", Value: wire.StringValue("dead")})
		return m
	}
	if _, ok := m.Arguments.Get("x-dead-letter-exchange"); ok && g.chance(30) {
		m.Arguments = append(m.Arguments, wire.Field{
			Name: "x-dead-letter-routing-key", Value: wire.StringValue(one(g, "dead", "a")),
		})
	}
	return m
}

// possible is an argument and values that are right.
type possible struct {
	name   string
	values []wire.Value
}

func (g *generator) maybe(a possible, t *wire.Table, percent int) {
	if g.chance(percent) {
		*t = append(*t, wire.Field{Name: a.name, Value: one(g, a.values...)})
	}
}

var classicArguments = [...]possible{
	{"x-message-ttl", []wire.Value{wire.Int32Value(0), wire.Int64Value(huge), wire.Int16Value(0)}},
	{"x-expires", []wire.Value{wire.Int32Value(huge)}},
	{"x-max-length", []wire.Value{wire.Int32Value(0), wire.Int32Value(1), wire.Int64Value(3)}},
	{"x-max-length-bytes", []wire.Value{wire.Int32Value(0), wire.Int32Value(5), wire.Int8Value(9)}},
	{"x-overflow", []wire.Value{wire.StringValue("drop-head"),
		wire.StringValue("reject-publish"), wire.StringValue("reject-publish-dlx")}},
	{"x-dead-letter-exchange", []wire.Value{wire.StringValue(""), wire.StringValue("x1"),
		wire.StringValue("x2"), wire.StringValue("nowhere")}},
	{"x-dead-letter-exchange", []wire.Value{wire.StringValue("")}},
	{"x-max-priority", []wire.Value{wire.Int32Value(5), wire.Uint8Value(2), wire.Int32Value(0)}},
	{"x-single-active-consumer", []wire.Value{wire.BoolValue(true), wire.BoolValue(false)}},
	{"x-queue-mode", []wire.Value{wire.StringValue("lazy"), wire.StringValue("default")}},
	{"x-queue-version", []wire.Value{wire.Int32Value(1), wire.Int32Value(2)}},
	{"x-queue-type", []wire.Value{wire.StringValue("classic")}},
	{"x-queue-master-locator", []wire.Value{wire.StringValue("client-local")}},
	{"x-unknown", []wire.Value{wire.StringValue("a"), wire.Int32Value(1)}},
}

var quorumArguments = [...]possible{
	{"x-max-length", []wire.Value{wire.Int32Value(1), wire.Int64Value(3)}},
	{"x-overflow", []wire.Value{wire.StringValue("drop-head"), wire.StringValue("reject-publish")}},
	{"x-dead-letter-exchange", []wire.Value{wire.StringValue("")}},
	{"x-delivery-limit", []wire.Value{wire.Int32Value(1), wire.Int32Value(2)}},
	{"x-expires", []wire.Value{wire.Int32Value(huge)}},
	{"x-quorum-initial-group-size", []wire.Value{wire.Int32Value(1)}},
	{"x-queue-leader-locator", []wire.Value{wire.StringValue("client-local")}},
	{"x-max-in-memory-length", []wire.Value{wire.Int32Value(5)}},
}

// someValues are for arguments that may be wrong.
var someValues = [...]wire.Value{
	wire.Int32Value(-1), wire.Int32Value(0), wire.Int32Value(1), wire.Int64Value(1 << 60),
	wire.StringValue("x1"), wire.StringValue("7"), wire.StringValue(""), wire.BoolValue(true),
	wire.Float64Value(1.5), wire.Float32Value(2), {}, wire.BytesValue([]byte("b")),
	wire.TimestampValue(1), wire.TableValue(nil), wire.ArrayValue(),
	wire.Uint32Value(1 << 31), wire.Uint16Value(3), wire.Int64Value(huge), wire.Int8Value(1),
}

// spared are arguments that get no wrong values: RabbitMQ 3.10 crashes over them, keeps
// what Coffer refuses, or would delete the queue while it is compared.
const spared = " x-queue-master-locator x-delivery-limit x-expires "

// spoil changes one thing of what is right.
func (g *generator) spoil(m *wire.QueueDeclare) {
	switch g.IntN(8) {
	case 0:
		m.Durable = !m.Durable
	case 1:
		m.AutoDelete = !m.AutoDelete
	case 2:
		m.Exclusive = !m.Exclusive
	case 3:
		m.Arguments = nil
	case 4:
		for i := range m.Arguments {
			a := &m.Arguments[i]
			if !strings.Contains(spared, " "+a.Name+" ") && g.chance(50) {
				a.Value = one(g, someValues[:]...)
			}
		}
	default:
		a := one(g, classicArguments[:]...)
		if g.chance(30) {
			a = one(g, quorumArguments[:]...)
		}
		switch {
		case a.name == "x-max-priority", a.name == "x-message-ttl",
			strings.HasPrefix(a.name, "x-max-length"):
			return
		case a.name == "x-expires":
			m.Arguments = append(m.Arguments, wire.Field{Name: a.name, Value: one(g,
				wire.Int64Value(huge+1), wire.Int32Value(0), wire.StringValue("7"))})
			return // no queue goes by itself while it is compared
		}
		if m.Queue == "" || m.Queue[0] != 'k' && a.name == "x-queue-leader-locator" {
			return // RabbitMQ 3.10 has it for quorum queues only
		}
		v := one(g, a.values...)
		if g.chance(60) && !strings.Contains(spared, " "+a.name+" ") {
			v = one(g, someValues[:]...)
		}
		m.Arguments = append(m.Arguments, wire.Field{Name: a.name, Value: v})
	}
}

func (g *generator) declareQueue(st *step) {
	name := one(g, queueNames[:]...)
	if g.chance(15) {
		name = g.queue()
	}
	m := &wire.QueueDeclare{Queue: name, Exclusive: g.chance(50), Durable: g.chance(30)}
	if right := g.queues[name]; right != nil {
		*m = *right
		m.Arguments = append(wire.Table(nil), right.Arguments...)
		if g.chance(12) {
			g.spoil(m)
		} else {
			g.declared = append(g.declared, name)
		}
		if m.Exclusive {
			st.conn = 'A'
		}
	}
	m.Passive, m.NoWait = g.chance(4), g.chance(8)
	st.method = m
}

func (g *generator) deleteQueue(st *step) {
	st.method = &wire.QueueDelete{
		Queue: g.queue(), IfUnused: g.chance(25), IfEmpty: g.chance(25), NoWait: g.chance(10),
	}
}

func (g *generator) purge(st *step) {
	st.method = &wire.QueuePurge{Queue: g.queue(), NoWait: g.chance(10)}
}

// rightExchange chooses what an exchange is in this script.
func (g *generator) rightExchange(name string) *wire.ExchangeDeclare {
	m := &wire.ExchangeDeclare{
		Exchange: name, Type: one(g, "direct", "fanout", "topic", "headers", "topic"),
		Durable: g.chance(70), AutoDelete: g.chance(10), Internal: g.chance(8),
	}
	if name != "alternative" && g.chance(20) {
		m.Arguments = wire.Table{{
			Name: "alternate-exchange", Value: wire.StringValue(one(g, "alternative", "nowhere")),
		}}
	}
	if name == "xk" {
		m.Type, m.Internal = "fanout", false
	}
	return m
}

func (g *generator) declareExchange(st *step) {
	name := one(g, exchangeNames[:]...)
	if g.chance(15) {
		name = g.exchange()
	}
	m := &wire.ExchangeDeclare{
		Exchange: name, Type: one(g, "direct", "fanout", "topic", "headers"), Durable: g.chance(80),
	}
	if right := g.exchanges[name]; right != nil {
		*m = *right
		if name != "xk" {
			g.made = append(g.made, name)
		} else {
			g.fanned = true
		}
		switch g.IntN(40) {
		case 0:
			m.Type = one(g, "direct", "fanout", "x-consistent-hash")
		case 1:
			m.Durable = !m.Durable
		case 2:
			m.AutoDelete = !m.AutoDelete
		case 3:
			m.Internal = !m.Internal
		case 4:
			m.Arguments = wire.Table{{
				Name: "alternate-exchange", Value: one(g, someValues[:]...),
			}}
		case 5:
			m.Arguments = append(m.Arguments[:len(m.Arguments):len(m.Arguments)],
				wire.Field{Name: "unknown", Value: one(g, someValues[:]...)})
		}
	}
	m.Passive, m.NoWait = g.chance(4), g.chance(8)
	st.method = m
}

func (g *generator) deleteExchange(st *step) {
	st.method = &wire.ExchangeDelete{
		Exchange: g.exchange(), IfUnused: g.chance(30), NoWait: g.chance(10),
	}
}

// bindingArguments are mostly for exchanges of type headers.
func (g *generator) bindingArguments() (t wire.Table) {
	if g.chance(60) {
		return nil
	}
	if g.chance(60) {
		v := wire.StringValue(one(g, "all", "any", "all-with-x", "any-with-x"))
		if g.chance(8) {
			v = one(g, someValues[:]...)
		}
		t = append(t, wire.Field{Name: "x-match", Value: v})
	}
	for _, name := range []string{"h1", "h2", "x-h"} {
		if g.chance(40) {
			t = append(t, wire.Field{Name: name, Value: g.headerValue()})
		}
	}
	return t
}

func (g *generator) headerValue() wire.Value {
	if g.chance(15) {
		return one(g, someValues[:]...)
	}
	return one(g, wire.Int32Value(1), wire.Int64Value(1), wire.DecimalValue(1, 15),
		wire.StringValue("a"), wire.BoolValue(true))
}

// source gives an exchange and a queue that may be bound to each other.
func (g *generator) ends() (exchange, queue string) {
	exchange, queue = g.exchange(), g.queue()
	if queue == "k1" || queue == "k2" {
		if exchange = "xk"; !g.fanned {
			queue = "dead"
		}
	}
	return exchange, queue
}

func (g *generator) bind(st *step) {
	x, q := g.ends()
	st.method = &wire.QueueBind{
		Queue: q, Exchange: x, RoutingKey: g.key(), NoWait: g.chance(8),
		Arguments: g.bindingArguments(),
	}
}

func (g *generator) unbind(st *step) {
	x, q := g.ends()
	st.method = &wire.QueueUnbind{
		Queue: q, Exchange: x, RoutingKey: g.key(), Arguments: g.bindingArguments(),
	}
}

// destination is an exchange that a reset deletes with its bindings.
func (g *generator) destination() string {
	if x := g.exchange(); g.exchanges[x] != nil || x == "" || x == "nowhere" {
		return x
	}
	return one(g, "x1", "x2", "x3")
}

func (g *generator) bindExchange(st *step) {
	st.method = &wire.ExchangeBind{
		Destination: g.destination(), Source: g.exchange(), RoutingKey: g.key(),
		NoWait: g.chance(8), Arguments: g.bindingArguments(),
	}
}

func (g *generator) unbindExchange(st *step) {
	st.method = &wire.ExchangeUnbind{
		Destination: g.exchange(), Source: g.exchange(), RoutingKey: g.key(),
		NoWait: g.chance(8), Arguments: g.bindingArguments(),
	}
}
