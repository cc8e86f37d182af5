package amqp091

import (
	"slices"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// shownConn is what a connection keeps for those who look at it.
type shownConn struct {
	face           ConnectionInfo // what does not change; complete once listed, but for:
	properties     []byte         // of the client, encoded
	received, sent traffic
	barred         atomic.Uint32 // one of:
	leaving        atomic.Bool

	// guarded by out:
	ended     MessageCounts // of channels that are gone
	endedSure uint64        // publishes of them in confirm mode
}

// Whether publishing is refused now.
const (
	open       uint32 = iota
	barredIdle        // and the client has not tried
	barredUsed        // and it has
)

// state is RabbitMQ's word for how a connection is.
func (c *conn) state() string {
	switch barred := c.barred.Load(); {
	case c.leaving.Load():
		return "closing"
	case barred == barredUsed:
		return "blocked"
	case barred == barredIdle:
		return "blocking"
	}
	return "running"
}

// traffic counts one direction of a connection. One goroutine writes.
type traffic struct{ octets, calls atomic.Uint64 }

func (t *traffic) add(octets int) {
	t.octets.Add(uint64(octets))
	t.calls.Add(1)
}

func (t *traffic) load() Traffic { return Traffic{t.octets.Load(), t.calls.Load()} }

// shownChannel is what a channel keeps for those who look at it. The reader writes
// what is atomic.
type shownChannel struct {
	published, returned, dropped, empty atomic.Uint64
	acked                               atomic.Uint64 // by transactions

	prefetch, global atomic.Int32
	confirm, tx      atomic.Bool
	uncommitted      atomic.Int64
	acks             atomic.Int64 // of the transaction
	heard            atomic.Int64 // when a method came last, in nanoseconds since 1970

	// guarded by conn.out:
	out  MessageCounts // what is counted under that lock
	said int64         // as heard, of deliveries
}

// counts gives what the channel has counted. The caller holds conn.out.
func (ch *channel) counts() MessageCounts {
	s := &ch.shown
	m := s.out
	m.Publish, m.GetEmpty = s.published.Load(), s.empty.Load()
	m.ReturnUnroutable, m.DropUnroutable = s.returned.Load(), s.dropped.Load()
	m.Confirm = ch.confirms.acked
	m.Ack += s.acked.Load()
	return m
}

// info is what is shown of the channel, and adds the arguments of its consumers, which
// are read without the lock. The caller holds conn.out.
func (ch *channel) info(arguments [][]byte) (ChannelInfo, [][]byte) {
	s := &ch.shown
	i := ChannelInfo{
		Number: ch.number, Prefetch: int(s.prefetch.Load()), GlobalPrefetch: int(s.global.Load()),
		Confirm: s.confirm.Load(), Transactional: s.tx.Load(), Unacked: ch.unacked.count,
		Unconfirmed: len(ch.confirms.waiting), Uncommitted: int(s.uncommitted.Load()),
		AcksUncommitted: int(s.acks.Load()), Counts: ch.counts(),
		IdleSince: time.Unix(0, max(s.heard.Load(), s.said)),
	}
	for _, cons := range ch.consumers {
		if cons.handle == nil {
			continue // the broker does not have it yet
		}
		i.Consumers = append(i.Consumers, cons.info())
		arguments = append(arguments, cons.arguments)
	}
	return i, arguments
}

// info is what is shown of the consumer. The caller holds conn.out.
func (cons *consumer) info() ConsumerInfo {
	spec := cons.handle.Queue().Spec()
	i := ConsumerInfo{
		Tag: string(cons.tag), Queue: spec.Name, AckRequired: !cons.noAck,
		Prefetch: cons.prefetch, Exclusive: cons.exclusive, Active: true, ActivityStatus: "up",
	}
	if spec.SingleActive {
		i.ActivityStatus = "single_active"
		if i.Active = cons.handle.Active(); !i.Active {
			i.ActivityStatus = "waiting"
		}
	}
	return i
}

// kept gives the arguments of a consumer as they are kept to be shown. What is larger
// than usual is not, lest consumers take more memory than messages may.
func (c *conn) kept(t wire.Table) []byte {
	b := encoded(t)
	if len(b) > c.srv.cfg.MaxPending/c.srv.cfg.MaxConsumers {
		return nil
	}
	return b
}

// encoded gives a table as it takes the least memory; nil: it is empty.
func encoded(t wire.Table) []byte {
	if len(t) == 0 {
		return nil
	}
	b, err := wire.AppendTable(nil, t)
	if err != nil { // it came encoded
		return nil
	}
	return slices.Clip(b)
}

// shownArguments reads what is kept.
func shownArguments(arguments []byte) map[string]any {
	if len(arguments) < tableLength {
		return map[string]any{}
	}
	t, err := wire.ParseTable(arguments[tableLength:])
	if err != nil {
		return map[string]any{} // it was encoded from a table
	}
	return t.Plain()
}

// heard notes that a method came on a channel, once for each read.
func (c *conn) heard(ch *channel) {
	if ch.round != c.round {
		ch.round = c.round
		ch.shown.heard.Store(c.now)
	}
}

// bar notes whether publishing is refused now.
func (c *conn) bar(refused bool) {
	if refused {
		c.barred.Store(barredIdle)
	} else {
		c.barred.Store(open)
	}
}

// countPublish counts the message in hand; in a transaction, for its commit.
func (c *conn) countPublish(ch *channel) {
	if c.barred.Load() == barredIdle {
		c.barred.CompareAndSwap(barredIdle, barredUsed)
	}
	if ch.tx != nil {
		ch.tx.counts.Publish++
		return
	}
	ch.shown.published.Add(1)
}

// passing are messages that were published to an exchange and are not counted there
// yet: others count there, too, so it is done for many at a time.
type passing struct {
	counts  *broker.AddressCounts
	in, out int64
}

func (p *passing) tell() {
	if p.in > 0 {
		p.counts.Add(p.in, p.out)
		p.in, p.out = 0, 0
	}
}

// countRoute counts the message in hand and its queues.
func (c *conn) countRoute(ch *channel, queues int) {
	counts, p := ch.route.counts, &c.passing
	if ch.tx != nil {
		ch.tx.pass(counts, queues)
		return
	}
	if p.counts != counts {
		p.tell()
		p.counts = counts
	}
	p.in++
	p.out += int64(queues)
}

// pass is countRoute for when the transaction is committed.
func (tx *transaction) pass(counts *broker.AddressCounts, queues int) {
	if tx.passed == nil {
		tx.passed = map[*broker.AddressCounts]passing{}
	}
	p := tx.passed[counts]
	tx.passed[counts] = passing{counts, p.in + 1, p.out + int64(queues)}
}

// countUnroutable counts the message in hand, which no queue wants.
func (c *conn) countUnroutable(ch *channel) {
	switch {
	case ch.tx != nil && ch.content.mandatory:
		ch.tx.counts.ReturnUnroutable++
	case ch.tx != nil:
		ch.tx.counts.DropUnroutable++
	case ch.content.mandatory:
		ch.shown.returned.Add(1)
	default:
		ch.shown.dropped.Add(1)
	}
}

// countCommit counts what the transaction of a channel did.
func (ch *channel) countCommit() {
	tx, s := ch.tx, &ch.shown
	s.published.Add(tx.counts.Publish)
	s.returned.Add(tx.counts.ReturnUnroutable)
	s.dropped.Add(tx.counts.DropUnroutable)
	acks := 0
	for i := range tx.settles {
		if tx.settles[i].outcome == broker.Accept {
			acks++
		}
	}
	s.acked.Add(uint64(acks))
	for _, p := range tx.passed {
		p.tell()
	}
}

// countDelivery counts one to a consumer. The caller holds conn.out.
func (ch *channel) countDelivery(noAck, redelivered bool, now int64) {
	s := &ch.shown
	if s.said = now; noAck {
		s.out.DeliverNoAck++
	} else {
		s.out.Deliver++
	}
	if redelivered {
		s.out.Redeliver++
	}
}

// countGet counts one answer to basic.get. The caller holds conn.out.
func (ch *channel) countGet(noAck, redelivered bool) {
	s := &ch.shown
	if noAck {
		s.out.GetNoAck++
	} else {
		s.out.Get++
	}
	if redelivered {
		s.out.Redeliver++
	}
}

// countTx shows what the transaction of a channel holds.
func (ch *channel) countTx() {
	ch.shown.uncommitted.Store(int64(len(ch.tx.pubs)))
	ch.shown.acks.Store(int64(len(ch.tx.settles)))
}
