package broker

// fits reports whether a message of this cost may stay in memory, after trying
// to make room for it. A queue whose messages would fit as a whole keeps them
// all; another one keeps its head.
func (sh *shard) fits(q *Queue, weight int64) bool {
	if q.state.memory+q.state.gap.bytes+weight > sh.core.cfg.QueueBytes {
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
	st := &q.state
	st.gen++ // a page that is being read would not follow ready any more
	sh.dropTail(q)
	for st.ready.len() > 0 && !sh.full() {
		e := *st.ready.at(st.ready.len() - 1)
		if e.seq < st.top || !sh.dropRecord(e) {
			break
		}
		st.ready.popBack()
		if st.gap.count == 0 {
			st.gap.to = st.next
		}
		st.gap.from = e.seq
		st.gap.count++
		st.gap.bytes += e.cost()
		sh.freeEntry(e)
	}
	for i := 0; i < st.ready.len() && !sh.full(); i++ {
		sh.dropRecord(*st.ready.at(i))
	}
	sh.used(q)
}

// dropTail makes the tail part of the gap.
func (sh *shard) dropTail(q *Queue) {
	st := &q.state
	for st.tail.len() > 0 {
		e := st.tail.popFront()
		if !sh.dropRecord(e) {
			return // the shard failed
		}
		st.gap.to = e.seq + 1
		st.gap.count++
		st.gap.bytes += e.cost()
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
		plain, err := appendEnvelope(sh.other[:0], e.record, e.count, e.address, e.key)
		sh.other = plain
		if err == nil {
			err = sh.write(classSpilled, e.queue, e.seq, plain, e.record)
		}
		if err != nil {
			sh.fail(err)
			return false
		}
		e.spilled = true
		sh.markSpilled(e.queue, false)
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
