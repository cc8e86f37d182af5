package broker

// maxSlice bounds the messages that one look at a queue removes because they
// expired, are too many or are dead; the rest waits for the next round, so that
// other queues have their turn.
const maxSlice = 512

// burialWeight is how many removals a dead letter counts for.
const burialWeight = 4

// peeked is what is known of the first message of a gap whose place in memory
// was given up.
type peeked struct {
	seq               uint64 // its sequence; valid while the gap begins there
	enqueued, expires int64
}

// remember notes what decides when e expires, which becomes the gap's first.
func (l *lane) remember(e *entry) {
	l.peeked = peeked{e.seq, e.enqueued, e.expires}
}

// front gives the first message that is in memory, with or without its record.
func (l *lane) front() *entry {
	if l.ready.len() == 0 {
		return nil
	}
	return *l.ready.at(0)
}

// since gives the domain time at which the first message that waits came; 0: none does,
// or it must be read to know.
func (l *lane) since() int64 {
	if e := l.front(); e != nil {
		return e.enqueued
	}
	if l.gap.count > 0 && l.peeked.seq != 0 && l.gap.from == l.peeked.seq {
		return l.peeked.enqueued
	}
	return 0
}

// deadline gives the domain time at which the first message of the lane
// expires, 0 for never, and false when the message must be read to know.
func (l *lane) deadline() (at int64, known bool) {
	limits := &l.queue.state.limits
	switch {
	case l.ready.len() > 0:
		e := l.front()
		return limits.deadline(e.enqueued, e.expires), true
	case l.gap.count == 0, !l.expires && !limits.Retention.Set:
		return 0, true
	case l.peeked.seq != 0 && l.gap.from == l.peeked.seq: // a gap may begin at 0
		return limits.deadline(l.peeked.enqueued, l.peeked.expires), true
	}
	return 0, false
}

// deadline gives the domain time at which a message expires; 0: never. When a
// message arrived is unknown (0) of those stored by the first version.
func (l *Limits) deadline(enqueued, expires int64) int64 {
	if !l.Retention.Set || enqueued == 0 {
		return expires
	}
	end := later(enqueued, l.Retention.N)
	if expires == 0 || end < expires {
		return end
	}
	return expires
}

// later gives the time that is span after at, but never 0, which means never.
func later(at, span int64) int64 {
	if at > maxTime-span {
		return maxTime
	}
	return max(at+span, 1)
}

// doom says why a message that waits must go instead of being delivered; 0: it
// need not.
func (l *Limits) doom(e *entry, now int64) Reason {
	if at := l.deadline(e.enqueued, e.expires); at != 0 && at <= now {
		return Expired
	}
	if l.Deliveries.Set && int64(e.count) > l.Deliveries.N {
		return DeliveryLimit
	}
	return 0
}

// fresh reports whether an expired message has just come: one whose time to live
// is nothing may be delivered at once or not at all.
func (e *entry) fresh(now int64) bool { return e.enqueued == now && !e.redelivered }

// over reports whether e, which waits, must not be delivered.
func (sh *shard) over(e *entry) bool {
	q := e.lane.queue
	now := q.namespace.clock.now(sh.time)
	why := q.state.limits.doom(e, now)
	return why != 0 && (why != Expired || !e.fresh(now))
}

func (sh *shard) killHead(l *lane, why Reason) bool { return sh.killAt(l, 0, why) }

// killAt removes a message of l that is ready, by its index there. It returns
// false when it cannot do so now: this slice is used up, or what becomes a dead
// letter must be read first, or wait for others before it.
func (sh *shard) killAt(l *lane, i int, why Reason) bool {
	q := l.queue
	st := &q.state
	if st.slice <= 0 || sh.full() {
		sh.soon(q)
		return false
	}
	e := *l.ready.at(i)
	if st.limits.Dead.Set && (e.record == nil || l.doomed.len() > 0) {
		return false
	}
	st.slice--
	if st.limits.Dead.Set {
		st.slice -= burialWeight - 1
	}
	l.hot = true
	if i == 0 {
		l.ready.popFront()
	} else {
		l.ready.remove(i)
	}
	if e.record == nil && l.reading {
		l.gen++ // what is read for e must not go to who has its place next
	}
	st.body -= int64(e.body)
	q.ready.Add(-1)
	sh.die(e, why)
	return true
}

// servable removes what is over at the head of q and gives the lane whose first
// message may be delivered. Without one, wait tells that something must be read
// or removed first: the queue is pumped again then.
func (sh *shard) servable(q *Queue) (l *lane, wait bool) {
	st := &q.state
	now := q.namespace.clock.now(sh.time)
	for {
		if l = st.first(); l == nil {
			return nil, false
		}
		e, here := l.head()
		if e == nil {
			return nil, true
		}
		why := st.limits.doom(e, now)
		if why == 0 || why == Expired && e.fresh(now) { // now or never
			if !here {
				return nil, true
			}
			return l, false
		}
		if !sh.killHead(l, why) {
			return nil, true
		}
	}
}

// expire removes what is over at the heads of all lanes, and makes the owner
// look again when the next head is over.
func (sh *shard) expire(q *Queue) {
	st := &q.state
	now := q.namespace.clock.now(sh.time)
	for _, l := range st.lanes {
		why := Reason(0)
		for e := l.front(); e != nil; e = l.front() {
			if why = st.limits.doom(e, now); why == 0 || !sh.killHead(l, why) {
				break
			}
		}
		switch {
		case why == 0 && l.ready.len() > 0:
			l.hot = false
		case l.empty() && l.flights+l.parks+l.doomed.len() == 0:
			l.expires = false
		}
		if at, known := l.deadline(); known && at > now && at < maxTime {
			sh.wakeAt(q, q.namespace.clock.shardTime(at))
		}
	}
}

// obliged reports whether l must be read though nobody consumes it: to bury a
// dead message, to learn when its head expires, or to remove the head.
func (sh *shard) obliged(l *lane) bool {
	q := l.queue
	st := &q.state
	if l.doomed.len() > 0 && (*l.doomed.at(0)).record == nil {
		return true
	}
	if q.namespace.locked {
		return false
	}
	now := q.namespace.clock.now(sh.time)
	if e := l.front(); e != nil {
		return e.record == nil && st.limits.Dead.Set &&
			(st.limits.doom(e, now) != 0 || q.over() && l == st.first())
	}
	if l.gap.count == 0 {
		return false
	}
	at, known := l.deadline()
	return !known || at != 0 && at <= now || q.over() && l == st.first()
}

// peeks reports whether one message is enough to read of the gap of l.
func (sh *shard) peeks(l *lane) bool {
	q := l.queue
	return !q.state.wanted() && !l.hot && !q.over()
}
