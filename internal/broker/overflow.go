package broker

import "coffer/internal/fault"

// over reports whether q has more messages than its rules let wait, so that the
// first must go.
func (q *Queue) over() bool {
	l := &q.state.limits
	return l.Overflow == DropHead && q.exceeds(0, 0)
}

// exceeds reports whether q with so many more messages and bytes of bodies would
// be over its maximum.
func (q *Queue) exceeds(count, body int64) bool {
	l := &q.state.limits
	return l.MaxLength.Set && q.ready.Load()+count > l.MaxLength.N ||
		l.MaxBytes.Set && q.state.body+body > l.MaxBytes.N
}

// trim drops the first messages of a queue that has too many, and reports
// whether there were any.
func (sh *shard) trim(q *Queue) (some bool) {
	for ; q.over(); some = true {
		l := q.state.first()
		if l == nil || l.ready.len() == 0 || !sh.killHead(l, TooMany) {
			break
		}
	}
	return some
}

// keepUp lets a queue drop what is too much while messages pour in, so that what
// one round brings bounds nothing.
func (sh *shard) keepUp(q *Queue) {
	l := &q.state.limits
	if l.Overflow == DropHead && l.MaxLength.Set && q.ready.Load()-l.MaxLength.N > maxSlice {
		sh.pump(q)
	}
}

// maxHanded bounds how often full queues hand one message on to each other.
const maxHanded = 64

// refusal is nil when q takes m, which died before if it has a history, else the
// reason why it does not.
func (sh *shard) refusal(q *Queue, m *Message, h *History) error {
	l := &q.state.limits
	if l.Overflow == DropHead || !q.exceeds(1, int64(m.Body)) {
		return nil
	}
	if h == nil && q.state.touched { // consumers may take what is there
		sh.pump(q)
		if !q.exceeds(1, int64(m.Body)) {
			return nil
		}
	}
	sh.counters.refused.Add(1)
	if l.Overflow == DeadLetterRefuse && l.Dead.Set && sh.handed < maxHanded {
		first := sh.handed == 0
		sh.handed++
		sh.counters.deadLettered.Add(1)
		b := q.burial(m, h, TooMany, sh.time)
		sh.forwardAll(&b)
		if first {
			sh.handed = 0
		}
	}
	return fault.New(fault.Exhausted, "queue '%s' is full", q.spec.Name)
}
