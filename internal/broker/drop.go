package broker

import (
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
	st.reinsert()
	ready := q.ready.Load()
	sh.endConsumers(q, nil)
	for st.gets.len() > 0 {
		r := st.gets.popFront()
		r.reply <- reply{err: queueGone(q)}
	}
	for e := st.flight; e != nil; e = st.flight {
		st.unlink(e)
		e.dead = true
		sh.unhold(e)
	}
	sh.clearReady(q, false)
	st.gone = true
	sh.used(q)
	if q.spec.stored() || st.spills {
		sh.erase(q.id)
	}
	q.ready.Store(0)
	q.unacked.Store(0)
	return int(ready)
}

// erase deletes all that may be stored of a queue.
func (sh *shard) erase(id queueID) {
	sh.batch.Delete(recordKey(sh.keybuf[:0], id))
	sh.batch.DeleteRange(queueRange(classDurable, id))
	sh.batch.DeleteRange(queueRange(classSpilled, id))
}

// forget drops the queues of a deleted namespace, and erases those that were
// not open.
func (sh *shard) forget(n *Namespace, ids []queueID) {
	if sh.err != nil {
		return
	}
	if n != nil {
		n.Topology().Queues(func(q *Queue) bool {
			sh.drop(q)
			return true
		})
	}
	for _, id := range ids {
		sh.erase(id)
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
	st.reinsert()
	n := q.ready.Load()
	if n > 0 || st.damaged != nil {
		sh.clearReady(q, true)
	}
	if st.damaged != nil { // what could not be read is gone
		st.damaged = nil
	}
	q.ready.Store(0)
	sh.say(sh.busy(), release{reply: r.reply, r: reply{count: int(n)}})
}

// clearReady empties ready, gap and tail, and deletes what of it is stored if
// erase. Messages in flight lie below top, so that what was never delivered goes
// as one range; what was released goes one by one.
func (sh *shard) clearReady(q *Queue, erase bool) {
	st := &q.state
	st.gen++
	whole := st.next // from here on all goes
	for st.ready.len() > 0 {
		e := st.ready.popFront()
		if e.seq >= st.top {
			whole = min(whole, e.seq)
		} else if erase && e.stored() {
			sh.batch.Delete(entryKey(sh.keybuf[:0], e.class(), q.id, e.seq))
		}
		sh.unhold(e)
		sh.freeEntry(e)
	}
	for st.tail.len() > 0 {
		e := st.tail.popFront()
		sh.unhold(e)
		sh.freeEntry(e)
	}
	if st.gap.count > 0 {
		whole = min(whole, st.gap.from)
	}
	st.gap = gap{}
	if erase {
		sh.eraseFrom(q, whole)
	}
	sh.recount(q)
	sh.used(q)
}

// eraseFrom deletes what is stored of q at whole and above.
func (sh *shard) eraseFrom(q *Queue, whole uint64) {
	st := &q.state
	for _, c := range [...]class{classDurable, classSpilled} {
		stored := st.spills
		if c == classDurable {
			stored = q.spec.stored()
		}
		if stored && whole < st.next {
			upper := entryKey(nil, c, q.id, st.next)
			sh.batch.DeleteRange(entryKey(nil, c, q.id, whole), upper)
		}
	}
	sh.markDirty(q)
}

// recount sets what the record says to the messages in flight, when they are all
// that is left.
func (sh *shard) recount(q *Queue) {
	st := &q.state
	st.depth, st.bytes = 0, 0
	for e := st.flight; e != nil; e = e.next {
		if e.durable {
			st.depth++
			st.bytes += int64(e.size)
		}
	}
}
