package crash

import (
	"fmt"
	"math/rand/v2"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

// channel is the one that every client uses.
const channel = 1

// publish runs a publisher until its connection ends, which is the error.
func (r *round) publish(p publisherPlan) error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Call(channel, &wire.ConfirmSelect{}); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(p.seed, 0))
	me := r.ledger.Publisher()
	var body []byte
	for sent, told := 0, 0; ; {
		for sent-told < p.window {
			to := &p.routes[rng.IntN(len(p.routes))]
			persistent := rng.IntN(100) < p.persistent
			size := rng.IntN(2 << 10)
			if rng.IntN(1000) < p.large {
				size = rng.IntN(largeBody)
			}
			id := r.ledger.Sending(me, persistent, to.queues)
			body = ledger.AppendBody(body[:0], id, r.noise[:size])
			if err := c.Publish(channel, to.exchange, to.key, persistent, body); err != nil {
				return err
			}
			sent++
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for again := true; again; again = c.Buffered() {
			e, err := c.Next()
			if err != nil {
				return err
			}
			told = max(told, r.told(me, e.Method))
		}
	}
}

// told hands a confirm to the ledger.
func (r *round) told(publisher uint32, m wire.Method) (told int) {
	switch m := m.(type) {
	case *wire.BasicAck:
		told = r.ledger.Told(publisher, m.DeliveryTag, m.Multiple, true)
	case *wire.BasicNack:
		if !r.locked.Load() {
			r.ledger.Find("publisher %d: %d was refused", publisher, m.DeliveryTag)
		}
		told = r.ledger.Told(publisher, m.DeliveryTag, m.Multiple, false)
		r.refusals.Add(1)
	case *wire.ConnectionBlocked, *wire.ConnectionUnblocked:
	default:
		r.ledger.Find("publisher %d: unexpected %s", publisher, m.ID())
	}
	r.progress()
	return told
}

// refused publishes to a broker that is without its key, which must say no.
func (r *round) refused() error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Call(channel, &wire.ConfirmSelect{}); err != nil {
		return err
	}
	me := r.ledger.Publisher()
	to := []string{r.prefix + barrier}
	id := r.ledger.Sending(me, true, to)
	if err := c.Publish(channel, "", to[0], true, ledger.AppendBody(nil, id, nil)); err != nil {
		return err
	}
	m, err := c.Call(channel, &wire.QueueDeclare{Queue: to[0], Passive: true})
	if err != nil {
		return err
	}
	if _, no := m.(*wire.BasicNack); !no {
		return fmt.Errorf("a publish without the key was answered by %s", m.ID())
	}
	r.told(me, m)
	return nil
}
