package broker

// lapseSlice bounds the leases that end at once.
const lapseSlice = 256

// lapse ends the leases whose deadline has come.
func (sh *shard) lapse(q *Queue) {
	st := &q.state
	for n := 0; len(st.leases.heap) > 0; n++ {
		x := st.leases.heap[0]
		if x.deadline > sh.time {
			sh.wakeAt(q, x.deadline)
			return
		}
		if n == lapseSlice || sh.full() {
			sh.soon(q)
			return
		}
		sh.comeBack(x)
	}
}

// comeBack ends a lease by which nobody settled the message: that goes to its
// place.
func (sh *shard) comeBack(x *lease) {
	count, aside := x.count, x.receipt == 0
	e := sh.endLease(x)
	e.count = count
	e.redelivered = true
	if !aside {
		sh.counters.released.Add(1)
		if l := &e.lane.queue.state.limits; l.Deliveries.Set && int64(count) > l.Deliveries.N {
			sh.die(e, DeliveryLimit)
			return
		}
	}
	sh.writeCount(e)
	if sh.intoGap(e) {
		return
	}
	sh.back(e)
}

// setAside keeps a released message from everybody for a time, under a lease that
// nobody has; false when the queue has too many.
func (sh *shard) setAside(e *entry, delay int64) bool {
	if len(e.lane.queue.state.leases.heap) >= maxLeases {
		return false
	}
	sh.orphan(e)
	sh.lend(e, 0, e.count, sh.time+min(delay, maxTime-sh.time))
	return true
}

// intoGap makes e part of its lane's gap if its place is there. That is so of
// what was leased at the start and has not been read past since.
func (sh *shard) intoGap(e *entry) bool {
	l := e.lane
	if l.gap.count == 0 || e.seq < l.gap.from {
		return false
	}
	q := l.queue
	delete(l.early, e.seq)
	l.gap.add(e)
	l.gen++ // a page that is being read has the message without its count
	q.state.body += int64(e.body)
	q.ready.Add(1)
	sh.touch(q)
	sh.freeEntry(e)
	return true
}

// unlease takes the leases away from a queue, with their messages if erase; else
// all that is stored of the queue goes.
func (sh *shard) unlease(q *Queue, erase bool) (count int) {
	st := &q.state
	count = len(st.leases.heap)
	for len(st.leases.heap) > 0 {
		x := st.leases.heap[len(st.leases.heap)-1]
		if erase {
			sh.remove(sh.endLease(x))
			continue
		}
		e := x.entry
		st.leases.remove(x)
		q.lent(x, -1)
		e.lane.unlink(e)
		sh.unrefer(e)
		sh.unhold(e)
		sh.freeEntry(e)
	}
	return count
}
