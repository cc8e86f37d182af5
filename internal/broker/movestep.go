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
	from, to := m.spec.From, m.spec.To
	if m.spec.Rate > 0 {
		m.due = max(m.due, sh.time*1000-moveLag)
	}
	for {
		if m.spec.Max > 0 && m.taken+moved >= m.spec.Max {
			return moved, true, nil
		}
		if err := sh.movable(to); err != nil {
			return moved, true, err
		}
		if m.spec.Rate > 0 && m.due > sh.time*1000 {
			sh.wakeAt(from, (m.due+999)/1000)
			return moved, false, nil
		}
		if slot := sh.way(from.namespace, to.namespace); slot != nil &&
			sh.courierTo(slot).backlog() >= maxParcels {
			if !slices.Contains(sh.blocked, from) {
				sh.blocked = append(sh.blocked, from)
			}
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
		from.state.slice -= burialWeight
		if m.spec.Rate > 0 {
			m.due += 1_000_000 / int64(m.spec.Rate)
		}
		sh.moveOne(e, to)
		moved++
	}
}

// movable reports why q takes no message of a move. What is in another shard is not
// looked into.
func (sh *shard) movable(q *Queue) error {
	n := q.namespace
	if now, ok := n.Topology().Queue(q.spec.Name); !ok || now != q || n.gone.Load() {
		return queueGone(q)
	}
	if n.shard != sh {
		return nil
	}
	if q.state.gone || q.state.frozen {
		return queueGone(q)
	}
	if q.state.limits.Overflow != DropHead && q.exceeds(1, 0) {
		return fault.New(fault.Exhausted, "queue '%s' is full", q.spec.Name)
	}
	return nil
}

// moveOne moves e, which was ready and picked.
func (sh *shard) moveOne(e *entry, to *Queue) {
	from := e.lane.queue
	from.state.body -= int64(e.body)
	from.ready.Add(-1)
	sh.counters.moved.Add(1)
	m := e.message()
	m.Delay = AtMost(0)
	clock := &from.namespace.clock
	m.kept = &kept{enqueued: clock.shardTime(e.enqueued)}
	if e.expires != 0 {
		m.kept.expires = clock.shardTime(e.expires)
	}
	var h *History
	if e.extra != nil && len(e.extra.history.Deaths) > 0 {
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
