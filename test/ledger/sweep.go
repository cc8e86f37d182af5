package ledger

// maxSpan bounds the messages of a publisher from the first one on that is not done
// with, so that one that is lost does not keep all after it in memory.
const maxSpan = 1 << 20

// Sweep forgets messages that nothing can happen to any more, so that a run may go on
// for ever: refused ones, and those whose settlement is certain in each of their queues.
// Deliveries of what was forgotten are still found. It takes time with what is under way,
// not with what was.
func (l *Ledger) Sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, p := range l.publishers {
		if len(p.sent) == 0 {
			continue
		}
		for i := range p.sent {
			if m := &p.sent[i]; !m.done {
				m.done = l.over(m, ID{uint32(n), uint64(p.base + i + 1)})
			}
		}
		front := 0
		for front < len(p.sent) && p.sent[front].done {
			front++
		}
		p.base += front
		p.told = max(p.told, p.base)
		p.sent = append(p.sent[:0], p.sent[front:]...)
		if len(p.sent) > maxSpan {
			l.find("message %d of publisher %d is lost or stuck: %d were sent after it",
				p.base+1, n, len(p.sent)-1)
		}
	}
}

// over reports whether nothing can happen to a message any more, and drops its trails.
// What was not told to its publisher counts as told when that has ended.
func (l *Ledger) over(m *message, id ID) bool {
	if m.verdict == unknown && m.life == l.life {
		return false
	}
	for _, name := range m.queues {
		t := l.queues[name].trails[id]
		if m.verdict == refused && t == nil {
			continue
		}
		if t == nil || t.state != settled {
			return false
		}
	}
	for _, name := range m.queues {
		delete(l.queues[name].trails, id)
	}
	return true
}
