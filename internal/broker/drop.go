package broker

import (
	"slices"

	"coffer/internal/fault"
)

// freeze checks the conditions of a deletion and lets nothing in or out of the
// queue until it is dropped or thawed.
func (sh *shard) freeze(r *request) {
	st := &r.q.state
	ready := int(r.q.ready.Load())
	name := r.q.spec.Name
	switch {
	case st.gone || st.frozen:
		r.reply <- reply{err: queueGone(r.q)}
	case r.flag && len(st.consumers) > 0:
		r.reply <- reply{err: fault.New(fault.Conflict, "queue '%s' in use", name)}
	case r.empty && ready > 0:
		r.reply <- reply{err: fault.New(fault.Conflict, "queue '%s' is not empty", name)}
	case r.idle && (r.q.idleAt() == 0 || r.q.idleAt() > sh.time):
		st.ending = false
		sh.touch(r.q)
		r.reply <- reply{err: fault.New(fault.Conflict, "queue '%s' in use", name)}
	default:
		st.frozen = true
		r.reply <- reply{count: ready}
	}
}

// drop ends a queue that no topology knows any more and deletes what is stored
// of it. It gives the number of messages that were ready.
func (sh *shard) drop(q *Queue) int {
	st := &q.state
	if st.gone {
		return 0
	}
	ready := q.ready.Load()
	sh.endConsumers(q, nil)
	for st.gets.len() > 0 {
		r := st.gets.popFront()
		r.reply <- reply{err: queueGone(q)}
	}
	sh.refuseReceives(q, queueGone(q))
	sh.endMoves(q, queueGone(q))
	sh.unlease(q, false)
	sh.unparkAll(q)
	sh.dropDelayed(q, false)
	for _, l := range st.lanes {
		for e := l.flight; e != nil; e = l.flight {
			l.unlink(e)
			e.dead = true
			sh.unhold(e)
			sh.bury(e)
		}
		for l.doomed.len() > 0 {
			e := l.doomed.popFront()
			sh.sweepSoon()
			sh.unhold(e)
			sh.freeEntry(e)
		}
		l.burial = nil
		sh.clearReady(l, false)
	}
	sh.tally(q, -st.held, -st.heldBody)
	st.gone = true
	st.groups = nil
	sh.used(q)
	sh.forgetIDs(q)
	// A queue that never had a message has nothing to erase.
	if st.next > 1 && (q.spec.stored() || st.spills) {
		sh.erase(q.id)
	}
	q.ready.Store(0)
	q.young.Store(0)
	q.unacked.Store(0)
	q.delayed.Store(0)
	return int(ready)
}

// erase deletes all that may be stored of a queue, whatever it is. Each range that is
// deleted makes the store slower until it has written it to a table.
func (sh *shard) erase(id queueID) {
	sh.batch.Delete(recordKey(sh.keybuf[:0], id))
	sh.batch.DeleteRange(queueRange(classDurable, id))
	sh.batch.DeleteRange(queueRange(classSpilled, id))
	sh.batch.DeleteRange(queueRange(classDedup, id))
}

// forget drops the queues of a deleted namespace, and erases those that were
// not open.
func (sh *shard) forget(id NamespaceID, n *Namespace, ids []queueID) {
	if sh.err != nil {
		return
	}
	sh.batch.Delete(clockKey(nil, id))
	if n != nil {
		n.Topology().Queues(func(q *Queue) bool {
			sh.drop(q)
			return true
		})
	}
	for _, id := range ids {
		sh.erase(id)
		sh.sweepSoon()
	}
}

// purge removes the ready messages.
func (sh *shard) purge(r *request) {
	q := r.q
	st := &q.state
	if st.gone || st.frozen {
		r.reply <- reply{err: queueGone(q)}
		return
	}
	n := int64(sh.unlease(q, true)+sh.dropDelayed(q, true)) + q.ready.Load()
	if n > 0 || st.damaged != nil {
		sh.unparkAll(q)
		for _, l := range st.lanes {
			sh.clearReady(l, true)
		}
		st.body = 0
		sh.used(q)
	}
	if st.damaged != nil { // what could not be read is gone
		lower, upper := kindRange(classDurable, q.id, kindLease)
		sh.batch.DeleteRange(lower, upper)
		st.damaged = nil
	}
	q.ready.Store(0)
	st.gate = gate{}
	q.young.Store(0)
	sh.say(sh.busy(), answering(r.reply, reply{count: int(n)}))
}

// clearReady empties ready, gap and tail, and deletes what of it is stored if
// erase. Messages in flight lie below top, so that what was never delivered goes
// as one range; what was released goes one by one.
func (sh *shard) clearReady(l *lane, erase bool) {
	l.reinsert()
	l.gen++
	next := l.queue.state.next
	whole := next // from here on all goes
	sh.tally(l.queue, -l.gap.count, -l.gap.body)
	for l.ready.len() > 0 {
		e := l.ready.popFront()
		sh.tally(l.queue, -1, -int64(e.body))
		if e.seq >= l.top {
			whole = min(whole, e.seq)
		} else if erase && e.stored() {
			sh.batch.Delete(e.storeKey(sh.keybuf[:0]))
			sh.dropCount(e)
		}
		sh.unrefer(e)
		sh.unhold(e)
		sh.freeEntry(e)
	}
	for l.tail.len() > 0 {
		e := l.tail.popFront()
		sh.unrefer(e)
		sh.tally(l.queue, -1, -int64(e.body))
		sh.unhold(e)
		sh.freeEntry(e)
	}
	if l.gap.count > 0 {
		whole = min(whole, l.gap.from)
		sh.sweepSoon()
	}
	l.gap, l.early = gap{}, nil
	if erase && whole < next {
		sh.eraseFrom(l, whole)
	}
	sh.markDirty(l.queue)
	l.recount()
}

// eraseFrom deletes what is stored of l at whole and above.
func (sh *shard) eraseFrom(l *lane, whole uint64) {
	q := l.queue
	for _, c := range [...]class{classDurable, classSpilled} {
		stored := q.state.spills
		if c == classDurable {
			stored = q.spec.stored()
		}
		if stored {
			for _, r := range l.holes(whole) {
				for _, k := range [...]kind{kindLive, kindCount} {
					lower := sideKey(nil, c, q.id, k, l.priority, r[0])
					upper := sideKey(nil, c, q.id, k, l.priority, r[1])
					sh.batch.DeleteRange(lower, upper)
				}
			}
		}
	}
}

// holes gives the ranges of sequences from whole on that no doomed message is in:
// those stay until they are buried.
func (l *lane) holes(whole uint64) (ranges [][2]uint64) {
	var stay []uint64
	for i := range l.doomed.len() {
		if seq := (*l.doomed.at(i)).seq; seq >= whole {
			stay = append(stay, seq)
		}
	}
	slices.Sort(stay)
	for _, seq := range append(stay, l.queue.state.next) {
		if seq > whole {
			ranges = append(ranges, [2]uint64{whole, seq})
		}
		whole = seq + 1
	}
	return ranges
}

// recount sets what the record says to the messages in flight and the dead, when
// they are all that is left.
func (l *lane) recount() {
	l.depth, l.bytes, l.body, l.expires = 0, 0, 0, false
	for e := l.flight; e != nil; e = e.next {
		l.count(e)
	}
	for i := range l.doomed.len() {
		l.count(*l.doomed.at(i))
	}
}

func (l *lane) count(e *entry) {
	l.expires = l.expires || e.expires != 0
	if e.durable {
		l.depth++
		l.bytes += int64(e.size)
		l.body += int64(e.body)
	}
}
