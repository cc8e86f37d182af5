package broker

// mayLeave reports whether a namespace of this shard can be let go of as it is in the
// store: nothing of it, and nothing that goes to it, is half done, and every parcel it
// sent was taken. n is nil when it is not open.
func (sh *shard) mayLeave(n *Namespace) bool {
	for _, t := range sh.taken {
		if t.partly != 0 {
			return false
		}
	}
	for i, k := range sh.couriers {
		last := k.found
		if n != nil && n.sent != nil {
			last = max(last, n.sent[i])
		}
		if k.carried() < last {
			return false
		}
	}
	return n == nil || !sh.burying(n)
}

// burying reports whether a dead message of n, or one that goes there, is in some of its
// queues and not yet in others.
func (sh *shard) burying(n *Namespace) (found bool) {
	sh.core.mu.Lock()
	defer sh.core.mu.Unlock()
	for _, x := range sh.core.namespaces {
		if x.shard != sh || found {
			continue
		}
		x.Topology().Queues(func(q *Queue) bool {
			for _, l := range q.state.lanes {
				found = found || l.burial != nil && (x == n || l.burial.reaches(n))
			}
			return !found
		})
	}
	return found
}

func (b *burial) reaches(n *Namespace) bool {
	for _, q := range b.targets {
		if q.namespace == n {
			return true
		}
	}
	return b.namespace == n.id
}

// awaitLeave answers when a namespace may leave.
func (sh *shard) awaitLeave(r *request) {
	sh.leavers[r.namespace] = *r
}

// tellLeavers answers those who wait for that.
func (sh *shard) tellLeavers() {
	for id, r := range sh.leavers {
		switch {
		case sh.err != nil:
			r.reply <- reply{err: sh.err}
		case sh.mayLeave(r.ns):
			r.reply <- reply{}
		default:
			continue
		}
		delete(sh.leavers, id)
	}
}

// leave lets go of a namespace, if it may: what is stored of it is all that is left of
// it here when the answer comes.
func (sh *shard) leave(r *request) {
	if !sh.mayLeave(r.ns) {
		r.reply <- reply{}
		return
	}
	if n := r.ns; n != nil {
		n.moved.Store(true)
		n.Topology().Queues(func(q *Queue) bool {
			sh.unload(q)
			return sh.err == nil
		})
		sh.core.mu.Lock()
		delete(sh.core.namespaces, n.id)
		sh.core.mu.Unlock()
	}
	sh.say(true, answering(r.reply, reply{ok: true}))
}

// unload ends a queue in this shard as a restart does: its record is written, what is
// transient goes, and everybody who has or waits for something of it is told.
func (sh *shard) unload(q *Queue) {
	st := &q.state
	if st.gone {
		return
	}
	err := movedError()
	sh.endConsumers(q, err)
	for st.gets.len() > 0 {
		r := st.gets.popFront()
		r.reply <- reply{err: err}
	}
	sh.refuseReceives(q, err)
	sh.endMoves(q, err)
	if st.dirty && q.spec.stored() {
		if err := sh.writeRecord(q); err != nil {
			sh.fail(err)
			return
		}
	}
	sh.unparkAll(q)
	for _, l := range st.lanes {
		sh.unloadLane(l)
	}
	st.gone = true // the open batch writes no record of it
	st.groups = nil
	st.leases = leases{}
	sh.used(q)
	if d := st.dedup; d != nil {
		sh.ids.Add(-int64(len(d.seen)))
		st.dedup = nil
	}
	if st.spills {
		sh.batch.DeleteRange(queueRange(classSpilled, q.id))
		sh.sweepSoon()
	}
	q.ready.Store(0)
	q.young.Store(0)
	q.unacked.Store(0)
	q.delayed.Store(0)
}

// unloadLane takes the records of a lane out of memory. What is in flight is dead for
// those who have it.
func (sh *shard) unloadLane(l *lane) {
	for e := l.flight; e != nil; e = l.flight {
		l.unlink(e)
		sh.unhold(e)
		e.dead, e.common = true, nil
	}
	for _, list := range [...]*ring[*entry]{&l.ready, &l.tail, &l.doomed} {
		for list.len() > 0 {
			sh.unhold(list.popFront())
		}
	}
	for _, e := range l.released {
		sh.unhold(e)
	}
	l.released, l.gap, l.early = nil, gap{}, nil
	l.gen++
}
