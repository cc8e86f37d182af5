package broker

import "time"

// die ends a message that is neither ready nor in flight any more: it goes to
// where the dead letters of its queue go, in the batch that removes it.
func (sh *shard) die(e *entry, why Reason) {
	sh.countDeath(e.lane.queue, why)
	sh.ungroup(e)
	l := e.lane
	st := &l.queue.state
	if to := &st.limits.Dead; !to.Set || to.Rounds && why != DeliveryLimit && why != Rejected {
		sh.remove(e)
		return
	}
	sh.counters.deadLettered.Add(1)
	if l.doomed.len() > 0 || e.record == nil || sh.full() {
		sh.doom(e, why)
		return
	}
	e.why = why
	b := sh.burialOf(e)
	switch {
	case b.unread:
		sh.doom(e, why)
		return
	case !sh.forward(&b):
		sh.doom(e, why)
		l.burial = &b
		return
	}
	sh.remove(e)
}

// worn ends a message that came back too often. Where that is limited, the count
// is durable.
func (sh *shard) worn(e *entry) bool {
	l := &e.lane.queue.state.limits
	if !l.Deliveries.Set {
		return false
	}
	if int64(e.count) > l.Deliveries.N {
		sh.die(e, DeliveryLimit)
		return true
	}
	sh.writeCount(e)
	return false
}

func (sh *shard) countDeath(q *Queue, why Reason) {
	q.state.figures[figDied+figure(why)]++
	q.namespace.counts.died[why][index(q.state.limits.Dead.Set)][index(q.spec.KeepAll)].Add(1)
	switch why {
	case Rejected:
		sh.counters.settled.Add(1)
	case Expired:
		sh.counters.expired.Add(1)
	case TooMany:
		sh.counters.dropped.Add(1)
	case DeliveryLimit:
		sh.counters.limited.Add(1)
	}
}

// burial is a dead message on its way to the queues that its dead letters go to.
type burial struct {
	message Message
	history History
	from    *Queue // nil: another shard's
	targets []*Queue
	next    int  // the target to go on with
	rounds  bool // to a queue in which it died before, too
	unread  bool // the domain is locked, and the content leads the message: not yet
	// With away, a parcel goes there instead, to the namespace.
	away      *shard
	namespace NamespaceID
}

// burial prepares the way of a message that dies in q.
func (q *Queue) burial(m *Message, h *History, why Reason, now int64) burial {
	to := &q.state.limits.Dead
	b := burial{message: *m, from: q}
	if h == nil {
		h = &History{}
	}
	lifetime := -time.Millisecond
	if m.Expiry.Set {
		lifetime = time.Duration(min(m.Expiry.N, maxMilliseconds)) * time.Millisecond
	}
	var known bool
	b.history, known = h.with(Death{
		Queue: q.spec.Name, Reason: why, Count: 1, Time: time.UnixMilli(now),
		Address: m.Address, Key: m.Key, Lifetime: lifetime, Copies: len(m.Copies) > 0,
	})
	b.message.Expiry, b.message.Delay = Bound{}, Bound{}
	b.message.Address, b.rounds = to.Address, to.Rounds
	if to.OwnKey {
		b.message.Key, b.message.Copies = to.Key, nil
	}
	if !to.Set || !known && why != Rejected && !to.Rounds {
		return b // a circle might hide in what was forgotten
	}
	if n := to.Namespace; n != (NamespaceID{}) && n != q.namespace.id {
		q.buryElsewhere(&b, n)
		return b
	}
	q.namespace.lead(&b)
	return b
}

// message gives what e was published as, as far as that is known.
func (e *entry) message() Message {
	return Message{
		Sealed: Sealed{
			Record: e.record, Size: plainSize(e.size, e.apart()), Body: e.body,
			apart: e.apart(),
		},
		Durable: e.lasting, Priority: e.rank(), Address: e.address,
		Key: e.key, Group: e.group(), Copies: e.copies(), Expiry: e.lifetime(),
	}
}

// rank is the priority of the message.
func (e *entry) rank() uint8 {
	if e.lane.queue.spec.Fair {
		return e.priority
	}
	return max(e.priority, e.lane.priority)
}

// burialOf is burial for a message that was in its queue.
func (sh *shard) burialOf(e *entry) burial {
	m := e.message()
	var h *History
	if e.extra != nil {
		h = &e.extra.history
	}
	if q := e.lane.queue; q.state.limits.Dead.KeepTime {
		m.kept = &kept{enqueued: q.namespace.clock.shardTime(e.enqueued)}
	}
	return e.lane.queue.burial(&m, h, e.why, sh.time)
}

// forward puts a dead message into its targets until the batch is full; it
// returns false when some are left.
func (sh *shard) forward(b *burial) (done bool) {
	sh.sendAway(b)
	for b.next < len(b.targets) {
		if b.next > 0 && sh.batch.Size() >= maxFan && sh.err == nil {
			return false
		}
		sh.forwardOne(b)
	}
	return true
}

// forwardAll is forward for a message that is in no queue and cannot wait. What
// the batch has no room for is dropped.
func (sh *shard) forwardAll(b *burial) {
	sh.sendAway(b)
	for b.next < len(b.targets) && sh.batch.Size() < maxFan {
		sh.forwardOne(b)
	}
}

func (sh *shard) forwardOne(b *burial) {
	q := b.targets[b.next]
	b.next++
	switch {
	case q.state.frozen || q.state.gone || !b.rounds && b.history.Cycles(q.spec.Name):
	case sh.refusal(q, &b.message, &b.history) != nil:
	default:
		// What a transaction buries is not seen before it, as what it publishes.
		if b.from != nil {
			q.state.lastBatch = max(q.state.lastBatch, b.from.state.lastBatch)
		}
		sh.enqueue(q, &b.message, &b.history)
	}
}

// doom keeps a dead message that cannot be buried yet: its record must be read,
// others go first, or the batch is full. That it is dead is durable with the
// open batch.
func (sh *shard) doom(e *entry, why Reason) {
	e.why = why
	sh.mark(e)
	e.lane.doomed.pushBack(e)
	sh.touch(e.lane.queue)
}

// buryDoomed goes on with the dead messages of q that could not be buried.
func (sh *shard) buryDoomed(q *Queue) {
	for _, l := range q.state.lanes {
		for l.doomed.len() > 0 && (*l.doomed.at(0)).record != nil {
			if q.state.slice <= 0 || sh.full() {
				sh.soon(q)
				return
			}
			q.state.slice -= burialWeight
			e := *l.doomed.at(0)
			if l.burial == nil {
				b := sh.burialOf(e)
				if b.unread {
					break // until the domain is open
				}
				l.burial = &b
			}
			if !sh.forward(l.burial) {
				sh.soon(q)
				return
			}
			l.burial = nil
			l.doomed.popFront()
			sh.remove(e)
		}
	}
}
