package brokertest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

// now gives the domain time in milliseconds.
func (m *machine) now() int64 {
	at := m.clock.Now()
	if m.locked {
		at = m.lockedAt
	}
	return at.Add(-m.lockedFor).UnixMilli()
}

// over reports whether a message must not be delivered any more.
func (m *machine) over(x *modelMessage) bool { return x.expires != 0 && x.expires <= m.now() }

// alive gives the messages that may be delivered.
func (m *machine) alive(q *modelQueue) []*modelMessage {
	return slices.DeleteFunc(q.ready(), m.over)
}

// back puts a message to its place that somebody had.
func (m *machine) back(q *modelQueue, x *modelMessage) {
	x.holder, x.lease, x.taker, x.redelivered = "", nil, nil, true
	if x.count++; q.limited && x.count > q.limits.Deliveries.N {
		m.die(q, x)
	}
}

// die takes a message out of its queue, to the graves if it has any.
func (m *machine) die(q *modelQueue, x *modelMessage) {
	q.remove(x)
	if q.limits.Dead.Set {
		m.count++
		m.queues["graves"].add(&modelMessage{
			text: x.text, number: m.count, own: x.own, lasting: x.lasting,
			durable: x.lasting,
		})
	}
}

// ripen puts what is due to the ends of its queue. Consumers may have it already,
// with what came back at the same time.
func (m *machine) ripen(q *modelQueue) (changed bool) {
	for len(q.delayed) > 0 && q.delayed[0].due <= m.now() {
		x := q.delayed[0]
		q.delayed = q.delayed[1:]
		m.count++
		x.number = m.count
		q.add(x)
		changed = true
	}
	return changed
}

// prune does what a queue does by itself once its consumers have what they can
// take: heads that are over go, and what is too many. It reports whether there
// was any of it.
func (m *machine) prune(q *modelQueue) (changed bool) {
	seen := map[uint8]bool{}
	for _, x := range q.ready() {
		if !seen[x.priority] && m.over(x) {
			m.die(q, x)
			changed = true
			continue
		}
		seen[x.priority] = true
	}
	if q.limits.Overflow == broker.RefusePublish {
		return changed
	}
	for bound := q.limits.MaxLength; bound.Set && int64(len(q.ready())) > bound.N; changed = true {
		m.die(q, q.ready()[0])
	}
	return changed
}

// delay keeps messages back that were just published.
func (q *modelQueue) delay(x *modelMessage) {
	q.delayed = append(q.delayed, x)
	slices.SortStableFunc(q.delayed, func(a, b *modelMessage) int {
		return cmp.Compare(a.due, b.due)
	})
}

// advance moves the time: leases run out, delayed messages come, others expire.
func (m *machine) advance(rt *rapid.T) {
	d := time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds")) * time.Second
	end := m.clock.Now().Add(d)
	for _, at := range m.clashes(end) {
		m.clock.Advance(at.Sub(m.clock.Now()))
		m.lapse()
		m.check(rt)
	}
	m.clock.Advance(end.Sub(m.clock.Now()))
	m.lapse()
}

// clashes gives the times until end at which leases run out and delayed messages
// come to a queue with priorities. If both passed at once, it would be for the
// reader to say whether what came back finds what comes before it.
func (m *machine) clashes(end time.Time) (list []time.Time) {
	for _, name := range modelQueues {
		q := m.queues[name]
		if m.locked || q.maxPriority == 0 || len(q.delayed) == 0 {
			continue
		}
		for _, x := range q.messages {
			if x.lease != nil {
				list = append(list, x.lease.deadline)
			}
		}
		for _, x := range q.delayed {
			list = append(list, time.UnixMilli(x.due).Add(m.lockedFor))
		}
	}
	list = slices.DeleteFunc(list, func(at time.Time) bool {
		return at.After(end) || !at.After(m.clock.Now())
	})
	slices.SortFunc(list, time.Time.Compare)
	return slices.Compact(list)
}

func (m *machine) lapse() {
	now := m.clock.Now()
	for _, name := range modelQueues {
		q := m.queues[name]
		for _, x := range slices.Clone(q.messages) {
			if x.lease != nil && !now.Before(x.lease.deadline) {
				m.back(q, x)
			}
		}
	}
}
