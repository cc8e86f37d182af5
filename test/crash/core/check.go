package core

import (
	"slices"

	"coffer/internal/broker"
)

// Check applies the rules for a round whose durable queues were drained after
// the last kill, and gives all findings.
func (l *Ledger) Check() []string {
	for _, q := range l.plan.Queues {
		if !q.Spec.Durable || q.DeadOf != "" {
			continue
		}
		x := l.queues[q.Name]
		l.complete(x)
		l.repeats(x)
		if q.Cold && !q.Loose && !q.Purged {
			l.prefix(x)
			l.heads(x)
		}
	}
	l.fans()
	for n, x := range l.txs {
		l.whole(n, x)
	}
	return l.Findings()
}

// routed calls fn for all durable messages to q, in the order of sending.
func (l *Ledger) routed(q *queue, fn func(id ID, m *message)) {
	for _, id := range l.sent {
		if m := l.messages[id]; m.Durable && slices.Contains(m.To, q.Name) {
			fn(id, m)
		}
	}
}

// here reports whether a message was seen in a queue or where its dead go.
func (l *Ledger) here(q *queue, id ID) bool {
	if t := q.trails[id]; t != nil && t.seen > 0 {
		return true
	}
	if q.Dead == "" {
		return false
	}
	t := l.queues[q.Dead].trails[id]
	return t != nil && t.seen > 0
}

// complete checks that every confirmed message was drained, or is explained.
func (l *Ledger) complete(q *queue) {
	l.routed(q, func(id ID, m *message) {
		if m.verdict != confirmed {
			return
		}
		t := q.trail(id)
		if t.drained || q.purged(m) {
			return
		}
		if q.Dead != "" {
			if d := l.queues[q.Dead].trails[id]; d != nil && d.drained {
				return
			}
		}
		if !l.accepted(t) && (q.Dead != "" || !l.left(q, m, t)) {
			l.find("%s: confirmed %v is lost", q.Name, id)
		}
	})
}

// accepted reports whether the message may have been accepted.
func (l *Ledger) accepted(t *trail) bool {
	return t.accepts > 0 && (t.state == accepting || t.state == gone || t.state == unsure)
}

// left reports whether a message may have left a queue without dead letters
// other than by being accepted.
func (l *Ledger) left(q *queue, m *message, t *trail) bool {
	limits := &q.Spec.Limits
	comebacks := int64(t.asked + q.exposed)
	if q.Pull == Leased {
		comebacks += int64(t.seen)
	}
	return t.rejects > 0 || lifetime(q.Queue, m) > 0 ||
		limits.MaxLength.Set && limits.Overflow == broker.DropHead ||
		limits.Deliveries.Set && comebacks > limits.Deliveries.N
}

// purged reports whether a purge may have taken the message.
func (q *queue) purged(m *message) bool {
	for _, p := range q.purges {
		if p.done == 0 || m.asked < p.done {
			return true
		}
	}
	return false
}

// prefix checks that of a publisher's messages for a queue that nobody reads the
// first ones are there, up to some point.
func (l *Ledger) prefix(q *queue) {
	if limits := &q.Spec.Limits; limits.MaxLength.Set || limits.Expiry.Set {
		return
	}
	missing := map[uint32]ID{}
	l.routed(q, func(id ID, m *message) {
		if m.verdict == refused || m.Dedup != "" || lifetime(q.Queue, m) > 0 || m.Tx != 0 {
			return
		}
		p := id.Publisher()
		switch there := l.here(q, id); {
		case !there && missing[p] == 0:
			missing[p] = id
		case there && missing[p] != 0:
			l.find("%s: %v is there, but not %v before it", q.Name, id, missing[p])
		}
	})
}

// overshoot bounds the messages above its length that a queue may have at a kill:
// it drops in slices, and gives to consumers before it drops.
const overshoot = 1 << 9

// heads checks a queue that drops its head: no more than its length is there, and
// nothing is there that is older than what was dropped.
func (l *Ledger) heads(q *queue) {
	limits := &q.Spec.Limits
	if !limits.MaxLength.Set || limits.Overflow != broker.DropHead {
		return
	}
	n := int64(0)
	first, later := map[line]ID{}, map[ID]ID{} // later: dropped, although the other is there
	l.routed(q, func(id ID, m *message) {
		at := line{id.Publisher(), m.Priority}
		if t := q.trails[id]; t != nil && t.seen > 0 {
			if n++; first[at] == 0 {
				first[at] = id
			}
		} else if m.verdict == confirmed && first[at] != 0 {
			later[id] = first[at]
		}
	})
	if n <= limits.MaxLength.N { // else the first ones were taken before it dropped others
		for id, other := range later {
			l.find("%s: %v was dropped, but not %v before it", q.Name, id, other)
		}
	}
	if n > limits.MaxLength.N+overshoot {
		l.find("%s: %d messages, at most %d may wait", q.Name, n, limits.MaxLength.N)
	}
}

// fans checks that what is published once is in all its queues or in none.
func (l *Ledger) fans() {
	for _, id := range l.sent {
		m := l.messages[id]
		if len(m.To) < 2 || !m.Durable || m.Tx != 0 {
			continue
		}
		in, out := "", ""
		for _, name := range m.To {
			q := l.queues[name]
			if !q.Cold || q.Purged || lifetime(q.Queue, m) > 0 || q.Spec.Limits.MaxLength.Set {
				continue
			}
			if l.here(q, id) {
				in = name
			} else {
				out = name
			}
		}
		if in != "" && out != "" {
			l.find("%v is in %s, but not in %s", id, in, out)
		}
	}
}

// repeats checks that of messages with one id that were sent again the first one
// is there if one of them was confirmed, and none was taken twice.
func (l *Ledger) repeats(q *queue) {
	first := map[string]ID{}
	l.routed(q, func(id ID, m *message) {
		if m.Dedup == "" || m.verdict != confirmed {
			return
		}
		if was, ok := first[m.Dedup]; ok {
			l.find("%s: %v and %v, which have the same id, were both confirmed", q.Name, was, id)
		}
		first[m.Dedup] = id
	})
	l.routed(q, func(id ID, m *message) {
		if _, there := q.dedup[m.Dedup]; m.verdict == repeated && !there {
			l.find("%s: %v was a repetition, but nothing with its id is there", q.Name, id)
		}
	})
}

// whole checks that of a transaction all was done or nothing.
func (l *Ledger) whole(n int, x *transaction) {
	done, undone := "", ""
	note := func(did bool, what string, id ID) {
		if did {
			done = what + " " + id.String()
		} else {
			undone = what + " " + id.String()
		}
	}
	for _, id := range x.puts {
		for _, name := range l.messages[id].To {
			note(l.here(l.queues[name], id), name, id)
		}
	}
	if x.verdict == refused {
		x.takes = nil // they may be in another one since
	}
	for _, id := range x.takes {
		t := l.queues[x.queue].trail(id)
		if !l.messages[id].Durable {
			continue // it went with the process
		}
		note(!t.drained, x.queue, id)
	}
	if done != "" && undone != "" {
		l.find("transaction %d was done (%s) and not done (%s)", n, done, undone)
	}
}
