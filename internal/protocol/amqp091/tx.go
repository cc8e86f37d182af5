package amqp091

import (
	"context"
	"slices"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// transaction is what a channel has published and settled since its last commit.
// As in RabbitMQ a publish is routed at once, and all that becomes of it waits for
// the commit: the queues, its return, and answers.
type transaction struct {
	pubs    []broker.Publishing
	copies  int // of messages, one for each target, and answers
	stored  int // octets, as the broker counts them
	held    int // octets in memory
	settles []settlement
	answers []answer
	returns []byte // frames
	counts  MessageCounts
	passed  map[*broker.AddressCounts]passing
}

// settlement is one of a transaction.
type settlement struct {
	unsettled
	outcome broker.Outcome
}

// answer is a message to a name for answers.
type answer struct {
	target       replyTarget
	name         string
	header, body []byte
}

// txSelect answers tx.select.
func (c *conn) txSelect(ch *channel) error {
	if ch.confirm {
		return refuse(wire.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
		ch.shown.tx.Store(true)
	}
	c.out.send(ch.number, &wire.TxSelectOk{})
	return nil
}

// txRollback answers tx.rollback: deliveries that were settled are not.
func (c *conn) txRollback(ch *channel) error {
	if ch.tx == nil {
		return refuse(wire.PreconditionFailed, "channel is not transactional")
	}
	c.forgetTx(ch)
	c.out.send(ch.number, &wire.TxRollbackOk{})
	return nil
}

// forgetTx begins the transaction of a channel anew.
func (c *conn) forgetTx(ch *channel) {
	if ch.tx == nil {
		return
	}
	c.held -= ch.tx.held
	if len(ch.tx.settles) > 0 {
		c.out.Lock()
		ch.unacked.restore(ch.tx.settles)
		c.out.Unlock()
	}
	ch.tx = &transaction{}
	ch.countTx()
}

// txCommit answers tx.commit. The answer is the writer's, so that it stands before
// what the commit lets be delivered.
func (c *conn) txCommit(ch *channel) error {
	tx := ch.tx
	if tx == nil {
		return refuse(wire.PreconditionFailed, "channel is not transactional")
	}
	if len(tx.pubs)+len(tx.settles) == 0 {
		c.out.Lock()
		c.tellCommit(ch)
		c.out.Notify()
		c.out.Wait()
		c.out.Unlock()
	} else if err := c.commitAll(ch); err != nil {
		return err
	}
	for _, a := range tx.answers {
		a.target.deliver(a.name, a.header, a.body)
	}
	c.held -= tx.held
	ch.countCommit()
	ch.tx = &transaction{}
	ch.countTx()
	return nil
}

// tellCommit adds what a client hears of a commit. The caller holds the lock.
func (c *conn) tellCommit(ch *channel) {
	c.out.Buf = append(c.out.Buf, ch.tx.returns...)
	c.out.append(ch.number, &wire.TxCommitOk{})
}

// commitTries bounds how often a transaction is tried while queues that it publishes
// to are being deleted.
const commitTries = 16

// commitAll hands the transaction over until it is durable. A queue that was deleted
// since the publish gets nothing, as one that is deleted after it.
func (c *conn) commitAll(ch *channel) error {
	t := broker.Transaction{Publishings: ch.tx.pubs}
	for _, s := range ch.tx.settles {
		t.Settlements = append(t.Settlements, broker.Settlement{Ref: s.ref, Outcome: s.outcome})
	}
	c.out.Lock()
	c.committing = ch
	c.out.Unlock()
	for tries := 1; ; tries++ {
		topology := c.namespace.Topology()
		for i := range t.Publishings {
			p := &t.Publishings[i]
			p.Targets = slices.DeleteFunc(p.Targets, func(q *broker.Queue) bool {
				now, ok := topology.Queue(q.Spec().Name)
				return !ok || now != q
			})
		}
		err := c.session.Commit(c.ctx, t, 0)
		if err == nil {
			err = c.awaitCommit()
		}
		if fault.KindOf(err) != fault.NotFound || tries == commitTries {
			return err
		}
		c.namespace.AwaitChange()
	}
}

// awaitCommit waits for the end of the transaction that was handed over.
func (c *conn) awaitCommit() error {
	for {
		select {
		case err := <-c.committed:
			return err
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-c.look:
			if r := c.trouble.Load(); r != nil {
				return r
			}
		}
	}
}

// committedEvent tells what became of a transaction. The caller holds the lock.
func (c *conn) committedEvent(e *broker.Event) {
	if e.Err == nil && c.committing != nil {
		c.tellCommit(c.committing)
	}
	c.committed <- e.Err // one at a time: there is room
}

// gatherTx adds a publish to the transaction of its channel.
func (c *conn) gatherTx(ch *channel, p broker.Publishing) error {
	m, tx := &p.Message, ch.tx
	p.Targets = slices.Clone(p.Targets)
	tx.pubs = append(tx.pubs, p)
	tx.copies += 1 + len(p.Targets)
	tx.stored += m.StoredSize() * len(p.Targets)
	return c.holdTx(ch, int(m.Weight()))
}

// settleTx adds settlements to the transaction of their channel.
func (c *conn) settleTx(ch *channel, tag uint64, multiple bool, o broker.Outcome) error {
	c.out.Lock()
	settles, ok := ch.unacked.lift(ch.tx.settles, tag, multiple, o)
	c.out.Unlock()
	if !ok {
		return refuse(wire.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	ch.tx.settles = settles
	return c.holdTx(ch, 0)
}

// holdTx counts octets that a transaction keeps, and refuses one that the broker
// would not take.
func (c *conn) holdTx(ch *channel, octets int) error {
	tx := ch.tx
	tx.held += octets
	ch.countTx()
	c.held += octets
	switch {
	case tx.copies+len(tx.settles) > broker.MaxTransactionCount:
		return refuse(wire.PreconditionFailed,
			"transaction is larger than %d messages and acknowledgements",
			broker.MaxTransactionCount)
	case tx.stored > broker.MaxTransactionBytes:
		return refuse(wire.PreconditionFailed, "transaction is larger than %d octets",
			broker.MaxTransactionBytes)
	case c.held > c.srv.cfg.MaxPending:
		return refuse(wire.PreconditionFailed,
			"transactions on this connection exceed %d octets", c.srv.cfg.MaxPending)
	}
	return nil
}
