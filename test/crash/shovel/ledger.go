// Package shovel kills a real RabbitMQ and Coffer in turns while shovels carry messages
// from the one to the other and back, and checks that nothing that was confirmed is lost.
//
// Duplicates are allowed: a shovel promises at least once.
package shovel

import (
	"slices"
	"sync"
)

// ledger knows which numbered messages were confirmed, and which have arrived.
type ledger struct {
	mu        sync.Mutex
	next      int
	confirmed map[int]struct{} // and not arrived
	arrived   map[int]int      // how often
	changed   chan struct{}    // closed at the next arrival
}

func newLedger() *ledger {
	return &ledger{
		confirmed: map[int]struct{}{}, arrived: map[int]int{}, changed: make(chan struct{}),
	}
}

// number gives the number of a new message.
func (l *ledger) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next
}

// confirm notes that a broker has answered for a message.
func (l *ledger) confirm(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrived[n] == 0 {
		l.confirmed[n] = struct{}{}
	}
}

// arrive notes that a message has come; false: nobody has sent it.
func (l *ledger) arrive(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 1 || n > l.next {
		return false
	}
	l.arrived[n]++
	delete(l.confirmed, n)
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// state gives how many different messages have arrived, how many were sent, the
// confirmed ones that have not arrived, and what is closed when that changes.
func (l *ledger) state() (arrived, sent int, missing []int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.confirmed {
		missing = append(missing, n)
	}
	slices.Sort(missing)
	return len(l.arrived), l.next, missing, l.changed
}

// twice counts the messages that have come more than once.
func (l *ledger) twice() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.arrived {
		if times > 1 {
			n++
		}
	}
	return n
}
