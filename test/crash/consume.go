package crash

import (
	"math/rand/v2"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

// consumer is one connection that reads a queue under load.
type consumer struct {
	round  *round
	plan   consumerPlan
	conn   *amqpclient.Conn
	rng    *rand.Rand
	reader ledger.Reader
	me     uint32 // as a publisher to the barrier
	count  int

	held    []delivery  // not settled, in the order of tags
	sure    []ledger.ID // acked, not yet sure
	asked   []ledger.ID // of those, before the queue.declare under way
	waiting bool        // for the answer of it or the confirm after it
}

type delivery struct {
	tag uint64
	id  ledger.ID
}

// consume runs a consumer until its connection ends, which is the error.
func (r *round) consume(p consumerPlan) error {
	rng := rand.New(rand.NewPCG(p.seed, 0))
	for {
		c := &consumer{round: r, plan: p, rng: rng}
		if err := c.run(); err != nil {
			return err
		}
	}
}

// run reads until the connection ends or it is time to leave.
func (c *consumer) run() (err error) {
	p := &c.plan
	c.reader = ledger.Reader{Queue: p.queue, Auto: p.prefetch == 0}
	c.me = c.round.ledger.Publisher()
	if c.conn, err = c.round.dial(); err != nil {
		return err
	}
	defer c.conn.Close()
	if _, err := c.conn.Call(channel, &wire.ConfirmSelect{}); err != nil {
		return err
	}
	_, err = c.conn.Call(channel, &wire.BasicQos{PrefetchCount: uint16(p.prefetch)})
	if err != nil {
		return err
	}
	c.round.ledger.Consuming(p.queue, p.limit())
	err = c.conn.Append(channel,
		&wire.BasicConsume{Queue: p.queue, ConsumerTag: "c", NoAck: p.prefetch == 0})
	for err == nil {
		if !c.conn.Buffered() {
			if err = c.conn.Flush(); err != nil {
				return err
			}
		}
		if p.leave > 0 && c.count >= p.leave {
			return c.leave()
		}
		var e amqpclient.Event
		if e, err = c.conn.Next(); err == nil {
			err = c.handle(e)
		}
	}
	return err
}

// leave ends the connection in order, holding what it holds.
func (c *consumer) leave() error {
	c.round.ledger.Left(c.plan.queue, c.plan.limit())
	for _, d := range c.held {
		c.round.ledger.Released(c.plan.queue, d.id)
	}
	return c.conn.Goodbye()
}

func (c *consumer) handle(e amqpclient.Event) error {
	switch m := e.Method.(type) {
	case *wire.BasicConsumeOk, *wire.ConnectionBlocked, *wire.ConnectionUnblocked:
	case *wire.BasicDeliver:
		return c.deliver(m, e.Body)
	case *wire.QueueDeclareOk:
		to := []string{c.round.prefix + barrier}
		id := c.round.ledger.Sending(c.me, true, to)
		return c.conn.Publish(channel, "", to[0], true, ledger.AppendBody(nil, id, nil))
	case *wire.BasicAck:
		c.round.told(c.me, m)
		for _, id := range c.asked {
			c.round.ledger.Settled(c.plan.queue, id)
		}
		c.asked, c.waiting = nil, false
	case *wire.BasicNack: // the key is disabled, so it cannot be sure
		c.round.told(c.me, m)
		c.asked, c.waiting = nil, false
	default:
		c.round.ledger.Find("%s: unexpected %s", c.plan.queue, m.ID())
	}
	return nil
}

func (c *consumer) deliver(m *wire.BasicDeliver, body []byte) error {
	id, err := ledger.ParseBody(body)
	if err != nil {
		c.round.ledger.Find("%s: %v", c.plan.queue, err)
		return err
	}
	c.round.ledger.Received(&c.reader, id, m.Redelivered)
	c.count++
	if c.reader.Auto {
		return nil
	}
	if c.rng.IntN(100) < c.plan.requeue {
		c.round.ledger.Released(c.plan.queue, id)
		return c.conn.Nack(channel, m.DeliveryTag)
	}
	if c.held = append(c.held, delivery{m.DeliveryTag, id}); len(c.held) < c.plan.every {
		return nil
	}
	return c.settle()
}

// settle acks what is held, one by one or all at once, and asks for certainty.
func (c *consumer) settle() error {
	for _, d := range c.held {
		c.round.ledger.Acked(c.plan.queue, d.id)
		c.sure = append(c.sure, d.id)
	}
	multiple := c.rng.IntN(2) == 0
	for i, d := range c.held {
		if multiple && i < len(c.held)-1 {
			continue
		}
		if err := c.conn.Ack(channel, d.tag, multiple); err != nil {
			return err
		}
	}
	c.held = c.held[:0]
	if c.waiting {
		return nil
	}
	c.waiting = true
	c.asked, c.sure = c.sure, nil
	return c.conn.Append(channel, &wire.QueueDeclare{Queue: c.plan.queue, Passive: true})
}
