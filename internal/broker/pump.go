package broker

import "coffer/internal/fault"

// pump delivers what q can deliver: first to those who get, then to consumers in
// turn. It removes what is over, and wants the reader when what is next is not in
// memory.
func (sh *shard) pump(q *Queue) {
	st := &q.state
	if st.frozen || st.gone || sh.err != nil {
		for _, l := range st.lanes {
			l.reinsert()
		}
		if sh.err != nil {
			sh.refuse(q)
		}
		return
	}
	sh.lapse(q)
	for _, l := range st.lanes {
		l.reinsert()
		l.fetch, l.missing, l.more = "", noneMissing, false
	}
	sh.rest(q)
	st.slice = maxSlice
	sh.buryDoomed(q)
	sh.lookAtIDs(q)
	if q.namespace.locked || st.damaged != nil {
		sh.refuse(q)
		sh.finishDrains(q, false)
	} else {
		sh.steps = maxSteps
		sh.ripen(q)
		sh.lookAtGate(q)
		sh.serve(q)
		sh.handOut(q)
		sh.offer(q)
		sh.carryOn(q)
		sh.endFailed()
		sh.expire(q)
		if sh.trim(q) {
			sh.expire(q) // others are the first now
		}
		sh.finishDrains(q, true)
	}
	if st.damaged == nil {
		for _, l := range st.lanes {
			sh.readAhead(l)
		}
	}
}

// refuse answers those who get from a queue that cannot be read now, and ends
// the consumers of one that cannot be read at all.
func (sh *shard) refuse(q *Queue) {
	st := &q.state
	err := sh.err
	if err == nil {
		err = st.damaged
	}
	if err == nil {
		err = q.namespace.domain.Locked()
	}
	for st.gets.len() > 0 {
		r := st.gets.popFront()
		if err == nil {
			err = fault.New(fault.Unavailable, "The key is being changed.")
		}
		r.reply <- reply{err: err}
	}
	if st.receivers.len() > 0 {
		if err == nil {
			err = fault.New(fault.Unavailable, "The key is being changed.")
		}
		sh.refuseReceives(q, err)
	}
	if st.damaged != nil {
		sh.endMoves(q, st.damaged)
		sh.endConsumers(q, st.damaged)
	}
}

// able reports whether c may get a delivery now. When its session has no room,
// it arranges to hear of room.
func (sh *shard) able(c *Consumer) bool {
	l, s := c.spec.Shared, c.session
	if c.state.abandoned || c.state.credit == 0 || l != nil && l.max > 0 && l.used >= l.max {
		return false
	}
	if s.state.recalling || s.state.unsettled >= s.cfg.MaxUnsettled || s.outbox.block() {
		s.state.stalled = true
		return false
	}
	return true
}

// wakeSession activates the consumers that waited for room.
func (sh *shard) wakeSession(s *Session) {
	if s.state.stalled {
		s.state.stalled = false
		for _, c := range s.state.consumers {
			sh.activate(c)
		}
	}
}

func (sh *shard) wakeLimit(l *Limit) {
	for _, c := range l.consumers {
		sh.activate(c)
	}
}

// deliver assigns e, which was ready, to c.
func (sh *shard) deliver(c *Consumer, e *entry) {
	s := c.session
	d, wait := sh.assign(s, c, e)
	d.Consumer, d.auto = c.spec.Ref, c.spec.AutoSettle
	d.Queue.state.countOut(e, true, d.auto)
	d.epoch = s.state.epoch
	s.state.assigned++
	if c.state.credit > 0 {
		c.state.credit--
	}
	if c.spec.Shared != nil {
		c.spec.Shared.used++
	}
	s.outbox.reserve(int64(len(d.Record)))
	if wait {
		sh.noteBehind(d.Queue)
	}
	sh.say(wait, release{s: s, event: Event{Kind: Delivered, Consumer: c, Delivery: d}})
}

// assign takes e from ready to in flight. wait tells that the delivery must wait
// for the open batch: it holds the mark, or others of the queue wait for it.
func (sh *shard) assign(s *Session, c *Consumer, e *entry) (d Delivery, wait bool) {
	l := e.lane
	q := l.queue
	st := &q.state
	d = q.delivery(e)
	d.Ref, d.session = s.state.take(e, c), s
	l.link(e)
	l.top = max(l.top, e.seq+1)
	st.body -= int64(e.body)
	wait = st.lastBatch > sh.durable
	if e.durable && e.seq >= l.delivered {
		l.delivered = e.seq + 1
		sh.markDirty(q)
		wait = true
	}
	if sh.recorded(s, q, Delivers) {
		wait = true
		sh.record(s, q, Delivers, 0, e.named())
	}
	if wait {
		st.lastBatch = sh.batch.index
	}
	q.ready.Add(-1)
	q.unacked.Add(1)
	sh.counters.delivered.Add(1)
	if sh.crowded() {
		sh.dropRecord(e)
	}
	return d, wait
}

// delivery tells of e what all kinds of delivery tell.
func (q *Queue) delivery(e *entry) Delivery {
	d := Delivery{
		Queue: q, Redelivered: e.redelivered, Count: e.count, Address: e.address, Key: e.key,
		Group: e.group(), Record: e.record, Size: plainSize(e.size, e.apart()),
		Enqueued: e.enqueued, Received: e.received, Sequence: e.seq,
	}
	if a := e.apart(); a != nil && a.parts > 0 {
		d.apart = a
	}
	if e.extra != nil && len(e.extra.history.Deaths) > 0 {
		d.History = &e.extra.history
	}
	return d
}

// get queues a request for one message; the pump answers it.
func (sh *shard) get(r *request) {
	st := &r.q.state
	switch {
	case st.gone || st.frozen:
		r.reply <- reply{err: queueGone(r.q)}
	case r.q.owner != nil && r.q.owner != r.s:
		r.reply <- reply{err: queueLocked(r.q)}
	case r.s.state.unsettled >= r.s.cfg.MaxUnsettled:
		r.reply <- reply{err: fault.New(fault.Exhausted, "too many unsettled messages")}
	default:
		sh.use(r.q)
		st.gets.pushBack(*r)
		sh.touch(r.q)
	}
}

// answer gives e, which was ready, to who asked for one.
func (sh *shard) answer(q *Queue, r request, e *entry) {
	d, wait := sh.assign(r.s, nil, e)
	d.auto = r.flag
	q.state.countOut(e, false, d.auto)
	sh.expire(q) // what is over already does not remain
	a := reply{delivery: d, ok: true, count: int(q.ready.Load())}
	sh.say(wait, answering(r.reply, a))
}
