package soak

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// maxLatencies bounds what is kept of a window: a sample, each with the same chance.
const maxLatencies = 1 << 15

// latencies are times from publish to confirm, within a window.
type latencies struct {
	mu   sync.Mutex
	list []time.Duration
	seen int
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen++; len(l.list) < maxLatencies {
		l.list = append(l.list, d)
	} else if i := rand.IntN(l.seen); i < maxLatencies {
		l.list[i] = d
	}
}

// cut gives quantiles of all since the last cut, and how many there were.
func (l *latencies) cut(quantiles ...float64) (values []time.Duration, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.list)
	for _, q := range quantiles {
		var d time.Duration
		if len(l.list) > 0 {
			d = l.list[min(int(q*float64(len(l.list))), len(l.list)-1)]
		}
		values = append(values, d)
	}
	n = l.seen
	l.list, l.seen = l.list[:0], 0
	return values, n
}
