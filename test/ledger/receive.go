package ledger

// Reader is one consumer of a queue, for the rules of order.
type Reader struct {
	Queue string
	// Drains says that the reader is the only one and settles all it gets, after
	// a restart: then what was delivered before keeps its place, too.
	Drains bool
	// Alone says that the reader is the only one of its queue while it reads, and puts
	// nothing back: all that it gets is in order, with and without the mark.
	Alone bool
	Auto  bool // deliveries count as settled when they are sent

	last map[uint32]uint64
}

// Received notes a delivery as soon as the client has read it.
func (l *Ledger) Received(r *Reader, id ID, redelivered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queues[r.Queue]
	m, gone := l.message(id)
	switch {
	case gone:
		l.find("%s: %v came back after all was over", q.name, id)
		return
	case m == nil:
		l.find("%s: delivery of %v, which nobody sent", q.name, id)
		return
	}
	t := q.trails[id]
	if t == nil {
		t = &trail{}
		q.trails[id] = t
	}
	if l.stopping && !redelivered && t.received > 0 && !t.unmarked {
		// It was sent first and read last: what became of it is what the others say.
		t.received, t.unmarked = t.received+1, true
		return
	}
	l.admissible(q, m, t, id)
	l.marked(q, t, id, redelivered)
	// What a reader that left was not sent yet may go to another without the mark.
	if r.Drains || r.Alone || !redelivered && !q.left {
		if r.last == nil {
			r.last = map[uint32]uint64{}
		}
		if last := r.last[id.Publisher]; id.Seq <= last {
			l.find("%s: %v came after %d (redelivered=%v)", q.name, id, last, redelivered)
		}
		r.last[id.Publisher] = id.Seq
	}
	t.received++
	t.unmarked = t.unmarked || !redelivered
	t.state, t.life, t.drained = held, l.life, r.Drains
	if r.Auto {
		t.state = taken
	}
}

// message finds a message, unless nobody sent it or nothing can happen to it any more.
func (l *Ledger) message(id ID) (m *message, gone bool) {
	if int(id.Publisher) >= len(l.publishers) {
		return nil, false
	}
	p := l.publishers[id.Publisher]
	if id.Seq == 0 || id.Seq > uint64(p.count()) {
		return nil, false
	}
	if id.Seq <= uint64(p.base) {
		return nil, true
	}
	m = p.at(id.Seq)
	return m, m.done
}

// admissible checks that a message may be delivered at all.
func (l *Ledger) admissible(q *queue, m *message, t *trail, id ID) {
	routed := false
	for _, name := range m.queues {
		routed = routed || name == q.name
	}
	switch {
	case !routed:
		l.find("%s: %v was not routed here", q.name, id)
	case m.verdict == refused:
		l.find("%s: %v was refused to its publisher", q.name, id)
	case !m.persistent && m.life < l.life:
		l.find("%s: transient %v outlived a kill", q.name, id)
	case t.state == settled:
		l.find("%s: %v came back after its settlement was certain", q.name, id)
	case t.state != free && t.life == l.life && !l.stopping:
		l.find("%s: %v was delivered twice in one life", q.name, id)
	}
}

// marked checks the redelivered mark.
func (l *Ledger) marked(q *queue, t *trail, id ID, redelivered bool) {
	exposed := q.exposed
	if l.stopping {
		exposed += q.reading // of readers that do not know yet that they ended
	}
	switch {
	case !redelivered && t.received > 0:
		l.find("%s: %v was delivered before, but is not marked redelivered", q.name, id)
	case redelivered && t.received == 0 && exposed == 0:
		l.find("%s: %v is marked redelivered, but nobody could have had it", q.name, id)
	case redelivered && t.received == 0:
		if q.unseen++; q.unseen == exposed+1 {
			l.find("%s: more than the %d deliveries that can have been on their way "+
				"are marked redelivered", q.name, exposed)
		}
	}
}
