package broker

import (
	"slices"

	"coffer/internal/fault"
)

// moveLag is how far a move with a rate may be behind and catch up, in microseconds.
const moveLag = 100_000

// carryOn goes on with the moves from q, each a slice.
func (sh *shard) carryOn(q *Queue) {
	for _, m := range append([]*Move(nil), q.state.moves...) {
		if sh.err != nil {
			return
		}
		moved, end, err := sh.moveSlice(m)
		if m.taken += moved; moved > 0 {
			sh.use(q)
		}
		switch {
		case end:
			sh.endMove(m, moved, err)
		case moved > 0:
			sh.say(true, release{progress: &progress{move: m, moved: moved}})
		}
	}
}

// moveSlice moves what it may of the next messages. A move that is not at its end is
// called again when there is more, or may be.
func (sh *shard) moveSlice(m *Move) (moved int64, end bool, err error) {
	from := m.spec.From
	if m.spec.Rate > 0 {
		m.due = max(m.due, sh.time*1000-moveLag)
	}
	for {
		if m.spec.Max > 0 && m.taken+moved >= m.spec.Max {
			return moved, true, nil
		}
		if m.next != nil {
			if wait, err := sh.movable(from, m.next); wait || err != nil {
				return moved, err != nil, err
			}
		}
		if m.spec.Rate > 0 && m.due > sh.time*1000 {
			sh.wakeAt(from, (m.due+999)/1000)
			return moved, false, nil
		}
		if from.state.slice <= 0 || sh.full() {
			sh.soon(from)
			return moved, false, nil
		}
		e, wait := sh.pick(from, &taker{})
		if e == nil {
			return moved, !wait, nil
		}
		to, wait, err := sh.homeOf(m, e)
		if wait || err != nil {
			m.next = to
			sh.untake(e)
			return moved, err != nil, err
		}
		from.state.slice -= burialWeight
		if m.spec.Rate > 0 {
			m.due += 1_000_000 / int64(m.spec.Rate)
		}
		sh.moveOne(e, to, m.spec.Fresh)
		m.next = m.spec.To
		moved++
	}
}

// homeOf gives the queue that e goes to.
func (sh *shard) homeOf(m *Move, e *entry) (to *Queue, wait bool, err error) {
	if m.spec.To != nil {
		return m.spec.To, false, nil
	}
	var h *History
	if e.extra != nil && len(e.extra.history.Deaths) > 0 {
		h = &e.extra.history
	}
	if to, err = m.spec.Home(h); err != nil {
		return nil, false, err
	}
	if err := sameDomain(m.spec.From.namespace, to.namespace); err != nil {
		return nil, false, err
	}
	if to == m.spec.From || to.owner != nil {
		return nil, false, fault.New(fault.Invalid, "move to where nothing can be moved")
	}
	wait, err = sh.movable(m.spec.From, to)
	return to, wait, err
}

// untake puts e, which was picked, back to its place.
func (sh *shard) untake(e *entry) {
	sh.regroup(e)
	e.lane.released = append(e.lane.released, e)
	e.lane.reinsert()
}

// movable reports why q takes no message from a move, or that one must wait until fewer
// are on their way. What is in another shard is not looked into.
func (sh *shard) movable(from, q *Queue) (wait bool, err error) {
	n := q.namespace
	if now, ok := n.Topology().Queue(q.spec.Name); !ok || now != q || n.gone.Load() {
		return false, queueGone(q)
	}
	if slot := sh.way(from.namespace, n); slot != nil &&
		sh.courierTo(slot).backlog() >= maxParcels {
		if !slices.Contains(sh.blocked, from) {
			sh.blocked = append(sh.blocked, from)
		}
		return true, nil
	}
	if n.shard != sh {
		return false, nil
	}
	if q.state.gone || q.state.frozen {
		return false, queueGone(q)
	}
	if q.state.limits.Overflow != DropHead && q.exceeds(1, 0) {
		return false, fault.New(fault.Exhausted, "queue '%s' is full", q.spec.Name)
	}
	return false, nil
}

// moveOne moves e, which was ready and picked.
func (sh *shard) moveOne(e *entry, to *Queue, fresh bool) {
	from := e.lane.queue
	from.state.body -= int64(e.body)
	from.ready.Add(-1)
	sh.counters.moved.Add(1)
	m := e.message()
	m.Delay = AtMost(0)
	clock := &from.namespace.clock
	if !fresh {
		m.kept = &kept{enqueued: clock.shardTime(e.enqueued)}
	}
	if !fresh && e.expires != 0 {
		m.kept.expires = clock.shardTime(e.expires)
	}
	var h *History
	if !fresh && e.extra != nil && len(e.extra.history.Deaths) > 0 {
		across := e.extra.history.across(from.namespace.id, to.namespace.id)
		h = &across
	}
	if slot := sh.way(from.namespace, to.namespace); slot != nil {
		sh.send(from.namespace, slot, to.parcel(&m, h))
	} else {
		to.state.lastBatch = sh.batch.index // it is not to be seen in both
		sh.enqueue(to, &m, h)
	}
	sh.remove(e)
}

// kept is what a message keeps when it is moved, in shard time: domain times of two
// namespaces differ.
type kept struct{ enqueued, expires int64 }

// give sets the times of e, which has its own already, by the rules of its queue.
func (k *kept) give(e *entry) {
	locked := e.lane.queue.namespace.clock.shardTime(0)
	own := e.expires
	e.enqueued, e.expires = k.enqueued-locked, 0
	if k.expires != 0 {
		e.expires = max(k.expires-locked, 1)
	}
	if e.expires == 0 || own != 0 && own < e.expires {
		e.expires = own
	}
}
