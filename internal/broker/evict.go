package broker

// fits reports whether a message of this cost may stay in memory, after trying
// to make room for it. A queue whose messages would fit as a whole keeps them
// all; another one keeps its head.
func (sh *shard) fits(q *Queue, weight int64) bool {
	all := q.state.memory + weight
	for _, l := range q.state.lanes {
		all += l.gap.bytes
	}
	if all > sh.core.cfg.QueueBytes {
		return false
	}
	for range evictTries {
		if sh.memory+weight <= sh.core.cfg.WindowBytes {
			return true
		}
		victim := sh.oldest
		if victim == nil || victim == q || sh.full() {
			return false
		}
		sh.evict(victim)
		if victim.state.memory > 0 {
			sh.used(victim) // what is left is in flight
		}
	}
	return sh.memory+weight <= sh.core.cfg.WindowBytes
}

// evictTries bounds the queues looked at for one message.
const evictTries = 4

// evict takes the records of a queue out of memory, from its end on. Transient
// ones are written first; it stops when that has filled the batch.
func (sh *shard) evict(q *Queue) {
	for i := len(q.state.lanes) - 1; i >= 0; i-- {
		sh.evictLane(q.state.lanes[i])
	}
	sh.used(q)
}

func (sh *shard) evictLane(l *lane) {
	l.gen++ // a page that is being read would not follow ready any more
	sh.dropTail(l)
	for l.ready.len() > 0 && !sh.full() {
		e := *l.ready.at(l.ready.len() - 1)
		if e.seq < l.top || !sh.dropRecord(e) {
			break
		}
		l.ready.popBack()
		if l.gap.count == 0 {
			l.gap.to = l.queue.state.next
		}
		l.gap.from = e.seq
		l.remember(e)
		l.gap.add(e)
		sh.freeEntry(e)
	}
	for i := 0; i < l.ready.len() && !sh.full(); i++ {
		sh.dropRecord(*l.ready.at(i))
	}
	for e := l.parked; e != nil && !sh.full(); e = e.next {
		sh.dropRecord(e)
	}
}

func (g *gap) add(e *entry) {
	g.count++
	g.bytes += e.cost()
	g.body += int64(e.body)
}

// dropTail makes the tail part of the gap.
func (sh *shard) dropTail(l *lane) {
	for l.tail.len() > 0 {
		e := l.tail.popFront()
		if !sh.dropRecord(e) {
			return // the shard failed
		}
		l.gap.to = e.seq + 1
		l.gap.add(e)
		sh.freeEntry(e)
	}
}

// dropRecord takes the record of e out of memory; one that is not in the store
// goes there.
func (sh *shard) dropRecord(e *entry) bool {
	if e.record == nil {
		return true
	}
	if !e.stored() {
		e.spilled = true
		if !sh.write(e) {
			return false
		}
		sh.markSpilled(e.lane.queue, false)
	}
	sh.unhold(e)
	return true
}

// crowded reports whether messages in flight should leave memory.
func (sh *shard) crowded() bool { return sh.memory > sh.core.cfg.WindowBytes/4*3 }

// used makes q the newest of the queues with memory, or takes it off the list.
func (sh *shard) used(q *Queue) {
	st := &q.state
	if st.listed {
		if sh.newest == q && st.memory > 0 {
			return
		}
		if st.older != nil {
			st.older.state.newer = st.newer
		} else {
			sh.oldest = st.newer
		}
		if st.newer != nil {
			st.newer.state.older = st.older
		} else {
			sh.newest = st.older
		}
		st.older, st.newer, st.listed = nil, nil, false
	}
	if st.memory == 0 || st.gone {
		return
	}
	st.older, st.listed = sh.newest, true
	if sh.newest != nil {
		sh.newest.state.newer = q
	} else {
		sh.oldest = q
	}
	sh.newest = q
}
