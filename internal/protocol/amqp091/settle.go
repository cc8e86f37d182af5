package amqp091

import (
	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// outcome is what basic.reject and basic.nack do to a message.
func outcome(requeue bool) broker.Outcome {
	if requeue {
		return broker.Release
	}
	return broker.Reject
}

// settle gathers the end of one delivery, or of all up to it.
func (c *conn) settle(ch *channel, tag uint64, multiple bool, o broker.Outcome) error {
	if ch.tx != nil {
		return c.settleTx(ch, tag, multiple, o)
	}
	return c.settleNow(ch, tag, multiple, o)
}

func (c *conn) settleNow(ch *channel, tag uint64, multiple bool, o broker.Outcome) error {
	c.out.Lock()
	before := ch.unacked.count
	settles, ok := ch.unacked.take(c.settles, tag, multiple, o)
	ch.traces.settled(tag, multiple, o)
	if o == broker.Accept {
		ch.shown.out.Ack += uint64(before - ch.unacked.count)
	}
	c.out.Unlock()
	if !ok {
		return refuse(wire.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	c.settles = settles
	return c.relieve()
}

// redeliver puts all unsettled deliveries of the channel back, whatever its
// transaction.
func (c *conn) redeliver(ch *channel, requeue, answer bool) error {
	if !requeue {
		return refuse(wire.NotImplemented, "requeue=false")
	}
	if err := c.settleNow(ch, 0, true, broker.Release); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	if answer {
		c.out.send(ch.number, &wire.BasicRecoverOk{})
	}
	return nil
}
