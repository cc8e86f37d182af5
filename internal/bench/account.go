package bench

// account adds up what the readers saw, who have ended.
func (r *run) account() (a Account) {
	for _, p := range r.publishers {
		a.Sent += int64(p.sent.Load())
		a.Refused += int64(len(p.refused))
	}
	union := make([][]bitmap, r.cfg.Queues)
	for _, c := range r.consumers {
		for q, b := range c.books {
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
	if len(r.consumers) > 0 {
		a.Lost = r.lost(union)
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
func (r *run) lost(seen [][]bitmap) (n int64) {
	for i, p := range r.publishers {
		sent, lanes := p.sent.Load(), uint64(r.plan.ofPublisher(i))
		for k := range lanes {
			lane := i + int(k)*r.plan.publishers
			r.leadsTo(lane, seen, func(b bitmap) { n += b.missing((sent + lanes - 1 - k) / lanes) })
		}
		for _, tag := range p.refused {
			lane, seq := r.plan.tagged(i, tag)
			r.leadsTo(lane, seen, func(b bitmap) {
				if !b.has(seq) {
					n--
				}
			})
		}
	}
	return n
}

// leadsTo calls fn with what was seen of a lane in each queue that it leads to.
func (r *run) leadsTo(lane int, seen [][]bitmap, fn func(bitmap)) {
	for q := range seen {
		if slot, ok := r.plan.slot(q, lane); ok && seen[q] != nil {
			fn(seen[q][slot])
		}
	}
}
