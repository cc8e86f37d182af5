package sqs

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// counts are what was done at a queue since the process began, but for sends, which the
// broker counts.
type counts struct{ received, deleted, empty atomic.Int64 }

// took counts a receive that gave n messages.
func (c *counts) took(n int) {
	if n == 0 {
		c.empty.Add(1)
	}
	c.received.Add(int64(n))
}

// Figure is what a queue holds, and what was done at it since the process began: what
// CloudWatch has of a queue.
type Figure struct {
	Account, Region, Queue string // empty: all queues that are not shown by name

	Visible, NotVisible, Delayed int64 // messages
	// Oldest is for how long the first message that waits has done so; 0: none does, or it
	// is not known yet, because a start has not looked.
	Oldest time.Duration

	Sent, Received, Deleted, Empty int64 // Empty: receives that gave nothing
}

// maxFigures bounds the queues that are shown by name.
const maxFigures = 1000

// Figures gives the figures of queues, the oldest first; of those beyond a thousand in one
// that has no name.
func (s *Service) Figures() []Figure {
	s.mu.RLock()
	all := make([]*queue, 0, len(s.queues))
	for _, q := range s.queues {
		all = append(all, q)
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *queue) int {
		return cmp.Or(a.row.Load().Created.Compare(b.row.Load().Created),
			slices.Compare(a.id[:], b.id[:]))
	})
	var list []Figure
	var rest Figure
	for i, q := range all {
		if f := s.figure(q); i < maxFigures {
			list = append(list, f)
		} else {
			rest.add(&f)
		}
	}
	if len(all) > maxFigures {
		list = append(list, rest)
	}
	return list
}

func (s *Service) figure(q *queue) Figure {
	f := Figure{Account: q.account, Region: q.region, Queue: q.name}
	p := q.place.Load()
	if p == nil {
		return f
	}
	stats := p.queue.Stats()
	f.Visible, f.NotVisible, f.Delayed = stats.Ready, stats.Unacked, stats.Delayed
	f.Sent, f.Received = stats.Published, p.counts.received.Load()
	f.Deleted, f.Empty = p.counts.deleted.Load(), p.counts.empty.Load()
	if !stats.HeadSince.IsZero() {
		f.Oldest = max(0, s.now().Sub(stats.HeadSince))
	}
	return f
}

func (f *Figure) add(o *Figure) {
	f.Visible, f.NotVisible = f.Visible+o.Visible, f.NotVisible+o.NotVisible
	f.Delayed, f.Oldest = f.Delayed+o.Delayed, max(f.Oldest, o.Oldest)
	f.Sent, f.Received = f.Sent+o.Sent, f.Received+o.Received
	f.Deleted, f.Empty = f.Deleted+o.Deleted, f.Empty+o.Empty
}
