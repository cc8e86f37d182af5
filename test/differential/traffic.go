package differential

import (
	"fmt"

	"coffer/internal/protocol/amqp091/wire"
)

func (g *generator) publish(st *step) {
	m := &wire.BasicPublish{
		Exchange: []byte(g.exchange()), RoutingKey: []byte(g.key()), Mandatory: g.chance(25),
	}
	switch n := g.IntN(100); {
	case n < 45:
		m.Exchange, m.RoutingKey = nil, []byte(g.classic())
	case n < 55:
		st.channel, m.Exchange, m.RoutingKey = confirming, nil, []byte(one(g, "k1", "k2"))
	case n < 60 && g.fanned:
		st.channel, m.Exchange = confirming, []byte("xk")
	}
	m.Immediate = g.IntN(300) == 0
	st.method, st.body, st.props = m, g.text(), g.properties()
	if st.channel == confirming && (string(m.Exchange) == "xk" || len(m.Exchange) == 0) {
		// 3.10 counts what is over in a quorum queue until it is the first.
		st.props.Flags &^= wire.FlagExpiration
	}
}

// properties chooses those of a message.
func (g *generator) properties() *wire.Properties {
	p := &wire.Properties{}
	some := func(percent int, flag uint16) bool {
		if g.chance(percent) {
			p.Flags |= flag
			return true
		}
		return false
	}
	if some(60, wire.FlagDeliveryMode) {
		p.DeliveryMode = one[uint8](g, 2, 2, 2, 1)
	}
	if some(10, wire.FlagContentType) {
		p.ContentType = []byte(one(g, "text/plain", ""))
	}
	if some(5, wire.FlagContentEncoding) {
		p.ContentEncoding = []byte("gzip")
	}
	if some(25, wire.FlagPriority) {
		p.Priority = one[uint8](g, 0, 1, 2, 5, 9, 255)
	}
	if some(5, wire.FlagCorrelationID) {
		p.CorrelationID = []byte("c")
	}
	if some(4, wire.FlagReplyTo) {
		p.ReplyTo = []byte(one(g, "q1", "q1", "q1", "amq.rabbitmq.reply-to"))
	}
	if some(14, wire.FlagExpiration) {
		p.Expiration = []byte(g.life())
		if g.chance(12) {
			p.Expiration = []byte(one(g, "x", "-1", "1.5", "", "999999999999"))
		}
	}
	if some(5, wire.FlagMessageID) {
		p.MessageID = []byte(long)
	}
	if some(5, wire.FlagTimestamp) {
		p.Timestamp = one[uint64](g, 0, 1700000000, 1<<63)
	}
	if some(4, wire.FlagType) {
		p.Type = []byte("t")
	}
	if some(3, wire.FlagUserID) {
		p.UserID = []byte(userName)
	}
	if some(4, wire.FlagAppID) {
		p.AppID = []byte("a")
	}
	if some(2, wire.FlagClusterID) {
		p.ClusterID = []byte("n")
	}
	if g.chance(40) {
		if err := p.SetHeaderTable(g.headers()); err != nil {
			panic(err)
		}
	}
	if g.chance(1) { // the order of refusals is another one in RabbitMQ 4
		p = &wire.Properties{Flags: wire.FlagUserID, UserID: []byte("somebody")}
	}
	return p
}

// life is a time to live: over at once, or longer than any run.
func (g *generator) life() string {
	if !g.ranked && !g.limited && g.chance(70) {
		return "0"
	}
	return "100000000"
}

// headers chooses those of a message, CC and BCC among them.
func (g *generator) headers() (t wire.Table) {
	for _, name := range []string{"h1", "h2", "x-h"} {
		if g.chance(45) {
			t = append(t, wire.Field{Name: name, Value: g.headerValue()})
		}
	}
	for _, name := range []string{"CC", "BCC"} {
		if !g.chance(12) {
			continue
		}
		v := wire.ArrayValue(wire.StringValue(g.classic()), wire.StringValue(g.key()))
		switch g.IntN(12) {
		case 0:
			v = one(g, someValues[:]...)
		case 1:
			v = wire.ArrayValue(wire.Int32Value(1), wire.StringValue("q1"))
		}
		t = append(t, wire.Field{Name: name, Value: v})
	}
	return t
}

func (g *generator) get(st *step) {
	m := &wire.BasicGet{Queue: g.queue(), NoAck: st.conn == 'B'}
	if st.method = m; !m.NoAck {
		g.sources = append(g.sources, source{st.conn, st.channel, "get"})
	}
}

// die lets a message become a dead letter, if its queue is there.
func (g *generator) die(st *step) {
	g.publish(st)
	var mortal []string
	for _, q := range g.declared {
		if _, ok := g.queues[q].Arguments.Get("x-dead-letter-exchange"); ok && q[0] != 'k' {
			mortal = append(mortal, q)
		}
	}
	if len(mortal) == 0 {
		return
	}
	q := one(g, mortal...)
	switch g.IntN(4) {
	case 0:
		st.conn, st.method, st.props = 'A', &wire.BasicGet{Queue: q}, nil
		g.sources = append(g.sources, source{st.conn, st.channel, "get"})
	default:
		st.method = &wire.BasicPublish{RoutingKey: []byte(q)}
		st.props.Flags |= wire.FlagExpiration
		st.props.Expiration = []byte(g.life())
	}
}

// mourn gets a dead letter.
func (g *generator) mourn(st *step) {
	st.method = &wire.BasicGet{Queue: "dead", NoAck: st.conn == 'B'}
}

// consume consumes. The consumers of a channel share a queue, since deliveries of two
// queues have no order among each other. Those of B need no acknowledgements, the
// others do: what one channel gives back when a connection ends may be taken by
// another that has not ended yet, and would be gone with it.
func (g *generator) consume(st *step) {
	at := fmt.Sprint(st.conn, st.channel)
	queue, ok := g.consumed[at]
	if !ok {
		queue = g.queue()
		g.consumed[at] = queue
	}
	if g.chance(3) {
		queue = one(g, "nowhere", "amq.mine")
	}
	m := &wire.BasicConsume{
		Queue: queue, ConsumerTag: one(g, tags[:]...), NoAck: st.conn == 'B',
		Exclusive: g.chance(8), NoWait: g.chance(5), NoLocal: g.chance(5),
	}
	if m.ConsumerTag == "" {
		m.NoWait = false // nobody would know it
	}
	if g.chance(20) {
		v := wire.Int32Value(int32(g.IntN(5) - 2))
		if g.chance(20) {
			v = one(g, someValues[:]...)
		}
		m.Arguments = wire.Table{{Name: "x-priority", Value: v}}
	}
	if st.method = m; !m.NoAck {
		g.sources = append(g.sources, source{st.conn, st.channel, m.ConsumerTag})
	}
}

func (g *generator) cancel(st *step) {
	st.method = &wire.BasicCancel{ConsumerTag: one(g, "c1", "c2", "c3", "nobody"),
		NoWait: g.chance(15)}
}

// settles chooses the delivery that a step settles: one that probably is there.
func (g *generator) settles(st *step) {
	st.settle, st.back = one(g, "c1", "c2", "c3", "get"), one(g, 0, 0, 0, 0, 0, 1, 2)
	if n := len(g.sources); n > 0 && !g.chance(4) {
		s := g.sources[max(n-1-g.IntN(4), 0)]
		st.conn, st.channel, st.settle = s.conn, s.channel, s.tag
	}
}

// unknown gives a delivery tag that is not one, now and then.
func (g *generator) unknown(st *step) (tag uint64) {
	if g.chance(3) {
		return one[uint64](g, 0, 99)
	}
	g.settles(st)
	return 0
}

func (g *generator) ack(st *step) {
	st.method = &wire.BasicAck{DeliveryTag: g.unknown(st), Multiple: g.chance(30)}
}

func (g *generator) nack(st *step) {
	st.method = &wire.BasicNack{
		DeliveryTag: g.unknown(st), Multiple: g.chance(30),
		Requeue: !g.limited && g.chance(60),
	}
}

func (g *generator) reject(st *step) {
	st.method = &wire.BasicReject{DeliveryTag: g.unknown(st), Requeue: !g.limited && g.chance(50)}
}

func (g *generator) recover(st *step) {
	if g.limited {
		g.qos(st)
		return
	}
	st.method = &wire.BasicRecover{Requeue: !g.chance(4)}
	if g.chance(20) {
		st.method = &wire.BasicRecoverAsync{Requeue: !g.chance(4)}
	}
}

func (g *generator) qos(st *step) {
	st.method = &wire.BasicQos{
		PrefetchCount: one[uint16](g, 0, 1, 2, 3), Global: g.limited && g.chance(30),
		PrefetchSize: one[uint32](g, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7),
	}
}

func (g *generator) tx(st *step) {
	st.channel, st.method = 3, &wire.TxSelect{}
	if g.chance(10) {
		st.channel = confirming
		return
	}
	g.txs = append(g.txs, source{conn: st.conn, channel: st.channel})
}

func (g *generator) endTx(st *step) {
	if n := len(g.txs); n > 0 && !g.chance(3) {
		st.conn, st.channel = g.txs[n-1].conn, g.txs[n-1].channel
	} else if !g.chance(20) {
		g.tx(st)
		return
	}
	st.method = &wire.TxCommit{}
	if g.chance(30) {
		st.method = &wire.TxRollback{}
	}
}

func (g *generator) confirm(st *step) { st.method = &wire.ConfirmSelect{NoWait: g.chance(30)} }
