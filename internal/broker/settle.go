package broker

// settle ends a delivery.
func (sh *shard) settle(s *Session, x Settlement) {
	o := x.Outcome
	e, c := s.state.put(x.Ref)
	if e == nil || sh.err != nil {
		return
	}
	if c != nil {
		sh.giveCredit(c, o)
	}
	if s.state.stalled && !s.state.recalling && !s.outbox.full.Load() {
		sh.wakeSession(s) // it may have waited for a slot
	}
	if e.dead {
		sh.exhume(e)
		sh.freeEntry(e)
		return
	}
	q := e.lane.queue
	e.lane.unlink(e)
	q.unacked.Add(-1)
	sh.show(q)
	if o != giveBack && !x.auto && sh.recorded(s, q, Settles) {
		sh.record(s, q, Settles, o, e.named())
	}
	switch o {
	case Release, giveBack:
		if o == Release {
			e.redelivered = true
			sh.counters.released.Add(1)
			if x.Uncounted {
				sh.back(e)
				return
			}
			e.count++
			if sh.worn(e) || x.Delay > 0 && sh.setAside(e, x.Delay) {
				return
			}
		} else {
			q.state.unseen++
		}
		sh.back(e)
	case Reject:
		sh.die(e, Rejected)
	default:
		sh.counters.settled.Add(1)
		if !x.auto {
			q.state.figures[figAccepted]++
		}
		sh.remove(e)
	}
}

// recall works on the end of a letter with deliveries that came back. After a
// Return, the session is assigned nothing until all is back that was on its way
// to Next: what is assigned now would overtake it, as it would have overtaken
// what the Return brings.
func (sh *shard) recall(r *request) {
	st := &r.s.state
	switch r.kind {
	case reqReturn:
		st.epoch++
		st.fresh = max(st.fresh, r.tag)
	case reqRecalled:
	default:
		return
	}
	if st.recalling = st.assigned != st.fresh+st.recalled; !st.recalling {
		sh.wakeSession(r.s)
	}
}

// giveCredit gives back what the delivery took from its consumer.
func (sh *shard) giveCredit(c *Consumer, o Outcome) {
	if l := c.spec.Shared; l != nil {
		if l.used--; l.used == l.max-1 {
			sh.wakeLimit(l)
		}
	}
	if c.state.credit >= 0 && (c.spec.Replenish || o == giveBack) {
		c.state.credit++
		sh.activate(c)
	}
}

// back puts a message that is not in flight any more to its place.
func (sh *shard) back(e *entry) {
	q := e.lane.queue
	sh.regroup(e)
	e.lane.released = append(e.lane.released, e)
	q.state.body += int64(e.body)
	q.ready.Add(1)
	sh.touch(q)
}

// remove deletes a message that is neither ready nor in flight any more.
func (sh *shard) remove(e *entry) {
	l := e.lane
	sh.tally(l.queue, -1, -int64(e.body))
	if e.stored() {
		sh.batch.Delete(e.storeKey(sh.keybuf[:0]))
		sh.dropCount(e)
		sh.unrefer(e)
		sh.markDirty(l.queue)
	}
	if e.marked {
		sh.batch.Delete(e.markKey(sh.keybuf[:0]))
	}
	if e.durable {
		l.depth--
		l.bytes -= int64(e.size)
		l.body -= int64(e.body)
		l.settles++
	}
	sh.unhold(e)
	sh.freeEntry(e)
}

// settleOpened accepts what OpenDelivery opened.
func (sh *shard) settleOpened(s *Session) {
	s.autoMu.Lock()
	list := s.auto
	s.auto = s.autoSpare[:0]
	s.autoMu.Unlock()
	for _, ref := range list {
		sh.settle(s, Settlement{Ref: ref, Outcome: Accept, auto: true})
	}
	if cap(list) > keepLetters {
		list = nil
	}
	s.autoMu.Lock()
	s.autoSpare = list
	s.autoMu.Unlock()
}

// closeSession takes the session's consumers and deliveries away from it. It
// returns false when the batch became full before the last delivery, and then
// comes again for the rest.
func (sh *shard) closeSession(r *request) (done bool) {
	s := r.s
	if !s.state.closed {
		s.state.closed = true
		sh.settleOpened(s)
		for _, c := range s.state.consumers {
			if sh.unsubscribe(c) {
				s.state.unused = append(s.state.unused, c.spec.Queue)
			}
		}
		s.state.consumers = nil
		for r := range s.state.receivers {
			sh.answerReceive(r, closedError())
		}
	}
	for i := range s.state.slots[s.state.left:] {
		if sh.full() {
			s.state.left += i
			return false
		}
		if sl := &s.state.slots[s.state.left+i]; sl.entry != nil {
			ref := DeliveryRef{uint32(s.state.left + i), sl.gen}
			sh.settle(s, Settlement{Ref: ref, Outcome: Release})
		}
	}
	s.outbox.close()
	a := reply{queues: s.state.unused}
	sh.say(sh.busy(), answering(r.reply, a))
	return true
}
