package metrics

import (
	"sync"

	"coffer/internal/broker"
)

// ledger sums up what virtual hosts count, those that are gone included: as far as
// was seen of them.
type ledger struct {
	mu   sync.Mutex
	gone broker.NamespaceStats
	last map[*broker.Namespace]broker.NamespaceStats
}

// sum gives what all have counted; list are those that there are.
func (l *ledger) sum(list []*broker.Namespace) broker.NamespaceStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := make(map[*broker.Namespace]broker.NamespaceStats, len(list))
	for _, n := range list {
		now[n] = n.Stats()
	}
	for n, stats := range l.last {
		if _, ok := now[n]; !ok {
			add(&l.gone, &stats)
		}
	}
	l.last = now
	sum := l.gone
	for _, stats := range now {
		add(&sum, &stats)
	}
	return sum
}

func add(to, n *broker.NamespaceStats) {
	to.QueuesCreated += n.QueuesCreated
	to.QueuesDeleted += n.QueuesDeleted
	for i := range n.Sums {
		to.Sums[i].Add(&n.Sums[i])
	}
	for why := range n.Died {
		for i := range n.Died[why] {
			for j := range n.Died[why][i] {
				to.Died[why][i][j] += n.Died[why][i][j]
			}
		}
	}
}
