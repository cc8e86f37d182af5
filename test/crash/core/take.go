package core

import (
	"slices"

	"coffer/internal/broker"
)

// take notes that somebody got a message, and applies the rules for that.
func (l *Ledger) take(q *queue, r *Record) {
	l.got++
	m := l.messages[r.ID]
	if m == nil {
		l.find("%s: %v came, which nobody sent", q.Name, r.ID)
		return
	}
	t := q.trail(r.ID)
	l.admissible(q, m, r)
	if l.overtaken(q, t, r) {
		t.seen++
		return
	}
	l.inState(q, m, t, r)
	l.marked(q, t, r)
	l.timely(q, m, t, r)
	l.ordered(q, m, r)
	if q.Spec.Groups {
		l.grouped(q, m, r)
	}
	t.seen++
	t.state, t.since, t.life, t.taker = held, l.at, l.life, r.Taker
	t.leased, t.lease = q.Pull == Leased, 0
	if a := l.asks[l.base+r.Asked]; t.leased && a != nil {
		t.lease = a.at + r.Span
	}
	t.drained = t.drained || r.Drains
	if q.holders[r.Taker] == nil {
		q.holders[r.Taker] = map[ID]struct{}{}
	}
	q.holders[r.Taker][r.ID] = struct{}{}
}

// overtaken reports whether this receive of a message is older than one that was
// told of before it: its lease ran out on the way here, and another taker was
// faster. The counts say which was first, so none comes twice.
func (l *Ledger) overtaken(q *queue, t *trail, r *Record) bool {
	if q.Pull != Leased {
		return false
	}
	if slices.Contains(t.counts, r.Count) {
		l.find("%s: %v came twice with count %d", q.Name, r.ID, r.Count)
	}
	if t.counts = append(t.counts, r.Count); r.Count == slices.Max(t.counts) {
		t.top = l.at
		return false
	}
	return l.base+r.Asked < t.top
}

// admissible checks that the message may ever be here.
func (l *Ledger) admissible(q *queue, m *message, r *Record) {
	from := q.Queue
	if q.DeadOf != "" {
		from = l.queues[q.DeadOf].Queue
		l.died(q, m, r)
	}
	full := q.DeadOf != "" && from.Spec.Limits.Overflow == broker.DeadLetterRefuse
	switch {
	case !slices.Contains(m.To, from.Name):
		l.find("%s: %v was not routed here", q.Name, r.ID)
	case m.verdict == refused && !full:
		l.find("%s: %v was refused to its publisher", q.Name, r.ID)
	case m.verdict == repeated:
		l.find("%s: %v was a repetition to its publisher", q.Name, r.ID)
	case (!m.Durable && !q.Other || !q.Spec.Durable) && m.life < l.life:
		// On the way to another shard all are stored, and may arrive in the next life.
		l.find("%s: transient %v outlived a kill", q.Name, r.ID)
	}
	if m.Dedup != "" {
		if first, ok := q.dedup[m.Dedup]; ok && first != r.ID {
			l.find("%s: %v is here beside %v, which has the same id", q.Name, r.ID, first)
		}
		q.dedup[m.Dedup] = r.ID
	}
	for _, p := range q.purges {
		if p.done != 0 && m.verdict == confirmed && m.told < p.asked {
			l.find("%s: %v came back after a purge", q.Name, r.ID)
		}
	}
}

// died checks the reason of a death, and that the message is not where it was.
func (l *Ledger) died(q *queue, m *message, r *Record) {
	from := l.queues[q.DeadOf]
	t := from.trail(r.ID)
	limits := &from.Spec.Limits
	why := broker.Reason(r.Reason)
	ok := false
	switch why {
	case broker.Rejected:
		ok = t.rejects > 0
	case broker.Expired:
		life := lifetime(from.Queue, m)
		ok = life > 0 && r.At >= m.askedAt+life
	case broker.TooMany:
		ok = limits.MaxLength.Set
	case broker.DeliveryLimit:
		ok = limits.Deliveries.Set && int64(t.asked+from.exposed) > limits.Deliveries.N ||
			from.Pull == Leased && int64(t.seen+from.exposed) > limits.Deliveries.N
	}
	if !ok {
		l.find("%s: %v died for reason %d, which nothing explains", from.Name, r.ID, why)
	}
	switch {
	case t.state == gone && t.rejects == 0:
		l.find("%s: %v died after it was settled", from.Name, r.ID)
	case t.state == held && t.life == l.life && !t.leased:
		l.find("%s: %v died while somebody had it", from.Name, r.ID)
	}
	t.state, t.since, t.life = dead, l.at, l.life
}

// lifetime gives how long a message may wait; 0: for ever.
func lifetime(q *Queue, m *message) int64 {
	life := m.Expiry
	if e := q.Spec.Limits.Expiry; e.Set && (life == 0 || e.N < life) {
		life = e.N
	}
	return life
}

// inState checks that the message may come now.
func (l *Ledger) inState(q *queue, m *message, t *trail, r *Record) {
	same := t.life == l.life
	switch t.state {
	case gone:
		l.find("%s: %v came back after its settlement was certain", q.Name, r.ID)
	case held, accepting, rejecting:
		if same && !t.leased {
			l.find("%s: %v was delivered twice in one life", q.Name, r.ID)
		}
	}
	if q.Dead != "" {
		if d := l.queues[q.Dead].trails[r.ID]; d != nil && d.seen > 0 {
			l.find("%s: %v is here and in %s", q.Name, r.ID, q.Dead)
		}
	}
	if m.Tx != 0 && l.txs[m.Tx].verdict == refused {
		l.find("%s: %v is of transaction %d, which was refused", q.Name, r.ID, m.Tx)
	}
}

// marked checks the redelivered mark and the count.
func (l *Ledger) marked(q *queue, t *trail, r *Record) {
	unseen := q.exposed
	for n, a := range l.asks {
		if a.queue == q.Name && n != l.base+r.Asked {
			unseen += a.n
		}
	}
	switch {
	case l.plan.Locks && !q.Cold:
		unseen = anyNumber // what came and could not be opened went back
	case q.Spec.Groups && q.Pull != Leased && l.life > 0:
		unseen = anyNumber // it lay below another one that was delivered
	}
	switch {
	case !r.Redelivered && t.seen > 0:
		l.find("%s: %v came before, but is not marked redelivered", q.Name, r.ID)
	case r.Redelivered && t.seen == 0 && unseen == 0:
		l.find("%s: %v is marked redelivered, but nobody could have had it", q.Name, r.ID)
	}
	low := 0
	if q.Pull == Leased {
		low = t.seen
	} else if q.Spec.Limits.Deliveries.Set {
		low = t.answered
	}
	if r.Count < low || r.Count > t.seen+unseen {
		l.find("%s: %v has count %d after %d deliveries, %d of which surely came back",
			q.Name, r.ID, r.Count, t.seen, low)
	}
}

// timely checks leases, delays and expiry.
func (l *Ledger) timely(q *queue, m *message, t *trail, r *Record) {
	mine := t.state == held || t.state == accepting || t.state == rejecting || t.state == unsure
	if mine && t.leased && (m.Durable || t.life == l.life) && r.At < t.lease {
		l.find("%s: %v came %d ms before its lease ended", q.Name, r.ID, t.lease-r.At)
	}
	delay := max(m.Delay, q.Spec.Limits.Delay)
	if q.DeadOf == "" && r.At < m.askedAt+delay {
		l.find("%s: %v came %d ms before it was due", q.Name, r.ID, m.askedAt+delay-r.At)
	}
	// A call that began so late must not get it.
	a := l.asks[l.base+r.Asked]
	life := lifetime(q.Queue, m)
	if q.Pull != Taken || q.DeadOf != "" || a == nil || life == 0 || m.toldAt == 0 {
		return
	}
	locked := l.locked
	if l.since != 0 {
		locked += l.now - l.since
	}
	if late := a.at - (m.toldAt + life + locked); late > 0 {
		l.find("%s: %v was given out %d ms after it expired", q.Name, r.ID, late)
	}
}

// ordered checks that what one taker gets is in the order of publishing.
func (l *Ledger) ordered(q *queue, m *message, r *Record) {
	if q.Loose || q.DeadOf != "" {
		return
	}
	if !r.Drains && (r.Redelivered || q.left || l.plan.Locks) {
		return
	}
	last := q.readers[r.Taker]
	if last == nil {
		last = map[line]ID{}
		q.readers[r.Taker] = last
	}
	at := line{r.ID.Publisher(), min(m.Priority, q.Spec.MaxPriority)}
	if r.ID <= last[at] {
		l.find("%s: %v came after %v (redelivered=%v)", q.Name, r.ID, last[at], r.Redelivered)
	}
	last[at] = r.ID
	if r.Drains {
		for x, id := range last {
			if x.priority < at.priority {
				l.find("%s: %v of priority %d came after %v of %d",
					q.Name, r.ID, at.priority, id, x.priority)
				return
			}
		}
	}
}

// grouped checks that a group is with one taker, and in order. What is known of
// the others must have been so when the message was asked for.
func (l *Ledger) grouped(q *queue, m *message, r *Record) {
	asked := l.base + r.Asked
	for _, id := range q.groups[m.Group] {
		other := l.messages[id]
		t := q.trails[id]
		alive := other.Durable || other.life == l.life
		if id == r.ID || !alive || t != nil && t.state == gone {
			continue
		}
		if t != nil && t.state == held && t.taker != r.Taker && t.since < asked &&
			(t.leased && r.At < t.lease || !t.leased && t.life == l.life) {
			l.find("%s: %v of group %s came to %d while %d had %v",
				q.Name, r.ID, m.Group, r.Taker, t.taker, id)
		}
		there := other.verdict == confirmed && other.told < asked
		if id < r.ID && there && (t == nil || t.state == free && t.since < asked) {
			l.find("%s: %v of group %s came before %v", q.Name, r.ID, m.Group, id)
		}
	}
	// What is gone at the head of a group need not be looked at again.
	list := q.groups[m.Group]
	for len(list) > 0 && q.trails[list[0]] != nil && q.trails[list[0]].state == gone {
		list = list[1:]
	}
	q.groups[m.Group] = list
}
