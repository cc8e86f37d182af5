package bench

import "math/bits"

// A track is what one consumer saw of one lane.
type track struct {
	seen bitmap
	last uint64 // the highest sequence, plus one
}

// bitmap is a set of numbers from 0 on.
type bitmap []uint64

// add reports whether n is new. It allocates when the set grows by its own size.
func (b *bitmap) add(n uint64) bool {
	word, bit := n/64, uint64(1)<<(n%64)
	for word >= uint64(len(*b)) {
		*b = append(*b, 0)
	}
	if (*b)[word]&bit != 0 {
		return false
	}
	(*b)[word] |= bit
	return true
}

// merge adds other, and gives how many were in both.
func (b *bitmap) merge(other bitmap) (both int64) {
	for i, w := range other {
		if i >= len(*b) {
			*b = append(*b, w)
			continue
		}
		both += int64(bits.OnesCount64((*b)[i] & w))
		(*b)[i] |= w
	}
	return both
}

// has reports whether n is there.
func (b bitmap) has(n uint64) bool {
	return n/64 < uint64(len(b)) && b[n/64]>>(n%64)&1 != 0
}

// missing counts what of the numbers below n is not there.
func (b bitmap) missing(n uint64) int64 {
	there := 0
	for i, w := range b {
		if low := uint64(i) * 64; low+64 > n {
			if low >= n {
				break
			}
			w &= 1<<(n-low) - 1
		}
		there += bits.OnesCount64(w)
	}
	return int64(n) - int64(there)
}

// Account is what became of the messages.
type Account struct {
	Sent     int64 `json:"sent"`
	Refused  int64 `json:"refused"`  // nacked by the broker
	Received int64 `json:"received"` // by all consumers, each message of each queue once
	Lost     int64 `json:"lost"`     // confirmed, and never received
	// Twice is what came again without the mark of a redelivery, Redelivered what came
	// with it; Misordered what came after a later one of the same publisher and queue
	// to the same consumer, without the mark.
	Twice       int64 `json:"twice"`
	Redelivered int64 `json:"redelivered"`
	Misordered  int64 `json:"misordered"`
	Foreign     int64 `json:"foreign"` // messages of somebody else
}

// Whole reports whether nothing is wrong.
func (a *Account) Whole() bool {
	return a.Lost == 0 && a.Twice == 0 && a.Misordered == 0 && a.Foreign == 0
}

// book is what one consumer saw of one queue. It belongs to the consumer's goroutine
// until that has ended.
type book struct {
	Account
	plan   *plan
	run    uint32
	queue  int
	tracks []track
}

func newBook(p *plan, run uint32, queue int) *book {
	return &book{plan: p, run: run, queue: queue, tracks: make([]track, p.slots(queue))}
}

// maxGap bounds the memory that a wrong sequence can take.
const maxGap = 1 << 32

// note counts a message; fresh: for the first time.
func (b *book) note(s stamp, redelivered bool) (fresh bool) {
	slot, ok := b.plan.slot(b.queue, int(s.lane))
	if s.run != b.run || !ok || s.seq > maxGap {
		b.Foreign++
		return false
	}
	t := &b.tracks[slot]
	fresh = t.seen.add(s.seq)
	switch {
	case redelivered:
		b.Redelivered++
	case !fresh:
		b.Twice++
	case s.seq < t.last:
		b.Misordered++
	}
	if fresh {
		b.Received++
	}
	t.last = max(t.last, s.seq+1)
	return fresh
}
