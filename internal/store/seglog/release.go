package seglog

import "slices"

// Release says that segments below a number are not needed any more, neither by
// Scan nor by ReadAt: their files may be used again. Before, the number must be durable
// where the caller of Scan reads it. A segment that is still to be written to stays.
func (l *Log) Release(below uint64) {
	l.mu.Lock()
	if below = min(below, l.first()); l.failed {
		below = 0 // the writer may still be about a group that is in no queue any more
	}
	var idle []*segment
	for len(l.live) > 0 && l.live[0].number < below {
		s := l.live[0]
		l.live = slices.Delete(l.live, 0, 1)
		if s.released = true; s.users == 0 {
			idle = append(idle, s)
		}
	}
	l.mu.Unlock()
	for _, s := range idle {
		l.retire(s)
	}
}

// hold gives the file of a segment, which is not used again before drop; nil when it
// has none.
func (l *Log) hold(n uint64) *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.find(n)
	if s != nil {
		s.users++
	}
	return s
}

func (l *Log) drop(s *segment) {
	l.mu.Lock()
	s.users--
	idle := s.released && s.users == 0
	l.mu.Unlock()
	if idle {
		l.retire(s)
	}
}

// retire makes the file of a segment that nobody uses a spare one, or removes it.
func (l *Log) retire(s *segment) {
	_ = s.file.Close() // nothing in it is needed
	l.mu.Lock()
	keep := len(l.spares) < maxSpares && s.size <= l.cfg.SegmentBytes
	if keep {
		l.spares = append(l.spares, s.number)
	}
	l.mu.Unlock()
	if !keep {
		l.remove(s.number)
	}
}
