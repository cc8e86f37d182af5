package broker

// taker is who may be given messages: a consumer, or a call of Get or of its
// kind. A group of messages is with one taker at a time.
type taker struct {
	consumer *Consumer
	groups   []*group // with it, and more of them is parked
}

// waiting reports whether t is offered messages.
func (t *taker) waiting() bool { return t.consumer != nil && t.consumer.state.active }

// choosing reports whether the first message is not for everybody.
func (st *queueState) choosing(q *Queue) bool { return q.spec.Groups || st.choosers > 0 }

// pick takes the next message that t may have now out of those that are ready,
// with its record. Without one, wait tells that there may be one that is not
// here yet: the caller asks again when the queue is pumped next. It is the only
// way to a message for its taker. From here on a group is with t, until back or
// freeEntry gets the entry.
//
// A call that takes several messages does so as one taker, and so may have more
// than one of a group; a call that follows is another.
func (sh *shard) pick(q *Queue, t *taker) (e *entry, wait bool) {
	st := &q.state
	if !st.choosing(q) {
		l, wait := sh.servable(q)
		if l == nil {
			return nil, wait
		}
		if q.spec.Fair {
			st.turn = l.priority
		}
		return l.ready.popFront(), false
	}
	var fetching bool
	if e, fetching = sh.pickParked(t); e == nil {
		for _, l := range st.lanes {
			if e, wait = sh.choose(l, t); e != nil || wait {
				break
			}
		}
	}
	wait = e == nil && (wait || fetching)
	if e != nil {
		sh.seize(e, t)
		e.refused = 0
	}
	return e, wait
}

// choose is pick in one lane.
func (sh *shard) choose(l *lane, t *taker) (e *entry, wait bool) {
	st := &l.queue.state
	now := l.queue.namespace.clock.now(sh.time)
	i := 0
	if t.consumer != nil && t.consumer.state.seen != nil {
		i = l.search(t.consumer.state.seen[l])
	}
	for i < min(l.ready.len(), MaxParked) {
		e := *l.ready.at(i)
		if sh.steps <= 0 {
			sh.soon(l.queue)
			return nil, true
		}
		if why := st.limits.doom(e, now); why != 0 && (why != Expired || !e.fresh(now)) {
			if !sh.killAt(l, i, why) {
				l.missing = min(l.missing, e.seq)
				return nil, true
			}
			continue
		}
		if open := l.queue.opens(e); open > now {
			sh.wakeAt(l.queue, l.queue.namespace.clock.shardTime(open))
			return nil, false
		}
		if !st.eligible(e, t) {
			if st.parked >= MaxParked {
				return nil, false
			}
			sh.steps--
			l.ready.remove(i)
			sh.park(e)
			continue
		}
		if e.record == nil {
			l.missing = min(l.missing, e.seq)
			return nil, true
		}
		switch sh.likes(t, e) {
		case yes:
			l.ready.remove(i)
			return e, false
		case unknown:
			return nil, true
		}
		sh.passed(t, e)
		i++
	}
	if i >= MaxParked || l.gap.count == 0 {
		return nil, len(l.released) > 0
	}
	l.more = true
	return nil, true
}

// maxSteps bounds the messages that are set aside or asked about in one pump.
const maxSteps = 4096

// serve answers those who get.
func (sh *shard) serve(q *Queue) {
	gets := &q.state.gets
	for gets.len() > 0 {
		if r := gets.at(0); r.s.state.closed {
			r.reply <- reply{err: closedError()}
			gets.popFront()
			continue
		}
		e, wait := sh.pick(q, &taker{})
		if wait {
			return
		}
		if r := gets.popFront(); e == nil {
			q.state.figures[figEmpty]++
			r.reply <- reply{}
		} else {
			sh.answer(q, r, e)
		}
	}
}

// offer delivers to consumers in turn.
func (sh *shard) offer(q *Queue) {
	st := &q.state
	if st.choosing(q) {
		for _, k := range st.circles {
			sh.offerRound(q, k)
		}
		return
	}
	for {
		if l, _ := sh.servable(q); l == nil {
			return
		}
		c := sh.consumerOf(st)
		if c == nil {
			return
		}
		e, _ := sh.pick(q, &c.state.taker)
		sh.deliver(c, e)
	}
}

// offerRound delivers to the consumers of one priority until none of them wants
// more.
func (sh *shard) offerRound(q *Queue, k *circle) {
	for idle := 0; idle < k.ring.len(); {
		c := sh.turnOf(k)
		if c == nil {
			return
		}
		if e, _ := sh.pick(q, &c.state.taker); e != nil {
			sh.deliver(c, e)
			idle = 0
		} else {
			idle++
		}
	}
}
