package ledger

import "slices"

// Check applies the rules for a round whose durable queues were drained after
// the last kill, and gives all findings.
func (l *Ledger) Check() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.names() {
		q := l.queues[name]
		if !q.durable {
			continue
		}
		for p := range l.publishers {
			l.complete(q, uint32(p))
			if q.use == Cold {
				l.prefix(q, uint32(p))
			}
		}
		if q.fanout != "" {
			l.twins(q)
		}
	}
	return l.findings
}

// Findings gives what was found so far.
func (l *Ledger) Findings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.findings)
}

func (l *Ledger) names() []string {
	var names []string
	for name := range l.queues {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// complete checks that every confirmed persistent message of a publisher was
// drained or settled. From a queue whose consumer does not settle, what was on
// its way may be lost: that lies before all that came back.
func (l *Ledger) complete(q *queue, p uint32) {
	back := false // something before this one came back
	for i := range l.publishers[p].sent {
		m := &l.publishers[p].sent[i]
		id := ID{p, uint64(l.publishers[p].base + i + 1)}
		if m.done || !m.persistent || !slices.Contains(m.queues, q.name) {
			continue
		}
		t := q.trails[id]
		drained := t != nil && t.drained && t.life == l.life
		gone := t != nil && (t.state == settled || t.state == acked)
		switch {
		case m.verdict != confirmed || drained:
		case q.use == Auto && !back:
		case !gone:
			l.find("%s: confirmed %v is lost", q.name, id)
		}
		back = back || drained
	}
}

// prefix checks that of a publisher's persistent messages for a queue that
// nobody reads the first ones are there, up to some point.
func (l *Ledger) prefix(q *queue, p uint32) {
	var missing uint64
	for i := range l.publishers[p].sent {
		m := &l.publishers[p].sent[i]
		id := ID{p, uint64(l.publishers[p].base + i + 1)}
		if m.done || !m.persistent || m.verdict == refused || !slices.Contains(m.queues, q.name) {
			continue
		}
		switch there := q.trails[id] != nil; {
		case !there && missing == 0:
			missing = id.Seq
		case there && missing != 0:
			l.find("%s: %v is there, but not %d before it", q.name, id, missing)
			return
		}
	}
}

// twins checks that cold queues of one fan-out got the same messages: what is
// published once is in all its queues or in none.
func (l *Ledger) twins(q *queue) {
	for _, name := range l.names() {
		other := l.queues[name]
		if name <= q.name || other.fanout != q.fanout || !other.durable {
			continue
		}
		for id := range q.trails {
			if other.trails[id] == nil {
				l.find("%v is in %s, but not in %s", id, q.name, other.name)
			}
		}
		for id := range other.trails {
			if q.trails[id] == nil {
				l.find("%v is in %s, but not in %s", id, other.name, q.name)
			}
		}
	}
}
