package bench

// A ledger is what those who have ended say: publishers what they sent and what of it
// was refused, consumers what they saw of which queue.
type ledger struct {
	plan    *plan
	sent    []uint64
	refused [][]uint64 // tags
	books   []map[int]*book
}

// ledger asks everybody.
func (r *run) ledger() *ledger {
	l := &ledger{plan: &r.plan}
	for _, p := range r.publishers {
		l.sent, l.refused = append(l.sent, p.sent.Load()), append(l.refused, p.refused)
	}
	for _, c := range r.consumers {
		l.books = append(l.books, c.books)
	}
	return l
}

// account adds up.
func (l *ledger) account() (a Account) {
	for i, n := range l.sent {
		a.Sent += int64(n)
		a.Refused += int64(len(l.refused[i]))
	}
	union := make([][]bitmap, l.plan.queues)
	for _, books := range l.books {
		for q, b := range books {
			a.add(&b.Account)
			if union[q] == nil {
				union[q] = make([]bitmap, len(b.tracks))
			}
			for slot := range b.tracks {
				// What two consumers have was delivered twice; to whom first nobody knows.
				both := union[q][slot].merge(b.tracks[slot].seen)
				a.Received -= both
				if a.Redelivered == 0 {
					a.Twice += both
				}
			}
		}
	}
	if len(l.books) > 0 {
		a.Lost = l.lost(union)
	}
	return a
}

// add adds what one consumer counted.
func (a *Account) add(b *Account) {
	a.Received += b.Received
	a.Twice += b.Twice
	a.Redelivered += b.Redelivered
	a.Misordered += b.Misordered
	a.Foreign += b.Foreign
}

// lost counts what was confirmed and is in no consumer's book.
func (l *ledger) lost(seen [][]bitmap) (n int64) {
	for i, sent := range l.sent {
		lanes := uint64(l.plan.ofPublisher(i))
		for k := range lanes {
			lane := i + int(k)*l.plan.publishers
			l.leadsTo(lane, seen, func(b bitmap) { n += b.missing((sent + lanes - 1 - k) / lanes) })
		}
		for _, tag := range l.refused[i] {
			lane, seq := l.plan.tagged(i, tag)
			l.leadsTo(lane, seen, func(b bitmap) {
				if !b.has(seq) {
					n--
				}
			})
		}
	}
	return n
}

// leadsTo calls fn with what was seen of a lane in each queue that it leads to.
func (l *ledger) leadsTo(lane int, seen [][]bitmap, fn func(bitmap)) {
	for q := range seen {
		if slot, ok := l.plan.slot(q, lane); ok && seen[q] != nil {
			fn(seen[q][slot])
		}
	}
}
