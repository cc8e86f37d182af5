package store

import (
	"context"
	"sync"
)

// Settle waits until a batch is durable and gives its position, or the reason
// why that cannot be said.
type Settle func() (Position, error)

// A Line is for engines: the batches of one owner of a shard that were handed
// to the disk and whose done has not run yet, at most a bound of them. Every
// done runs exactly once, in the order of the calls of Do, on a goroutine of
// the line, and after the first error with an error. It is for any number of
// goroutines; its own exists only while something is in flight.
type Line struct {
	order  sync.Mutex    // held from the wait for a place to the entry in the queue
	places chan struct{} // one token for each batch in flight

	mu       sync.Mutex
	queue    []entry
	busy     bool   // the goroutine runs
	entered  uint64 // calls of launch so far
	finished uint64 // of which the done has returned
	waiters  []waiter

	failed bool // only of the line's goroutine: an earlier done got an error
}

type entry struct {
	settle Settle
	done   func(Position, error)
}

// waiter waits until that many batches are finished.
type waiter struct {
	target uint64
	ready  chan struct{}
}

// NewLine gives a line for at most bound batches, which must be positive.
func NewLine(bound int) *Line {
	return &Line{places: make(chan struct{}, bound)}
}

// Do waits for a place, calls launch, and enters what it returns at the end of
// the line. launch hands the batch to the disk; it does not run while another
// one does, so that the order of the calls is the order on the disk.
func (l *Line) Do(launch func() Settle, done func(Position, error)) {
	l.order.Lock()
	defer l.order.Unlock()
	l.places <- struct{}{}
	l.mu.Lock()
	l.entered++
	l.mu.Unlock()
	e := entry{settle: launch(), done: done}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, e)
	if !l.busy {
		l.busy = true
		go l.run()
	}
}

// Wait returns when the done of every batch launched before has returned, or
// with the error of ctx. Later calls of Do do not prolong it.
func (l *Line) Wait(ctx context.Context) error {
	l.mu.Lock()
	if l.finished == l.entered {
		l.mu.Unlock()
		return nil
	}
	w := waiter{target: l.entered, ready: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run settles in order until the queue is empty.
func (l *Line) run() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.busy = false
			l.mu.Unlock()
			return
		}
		e := l.queue[0]
		n := copy(l.queue, l.queue[1:])
		l.queue[n] = entry{}
		l.queue = l.queue[:n]
		l.mu.Unlock()
		l.finish(e)
	}
}

func (l *Line) finish(e entry) {
	pos, err := e.settle()
	if err == nil && l.failed {
		err = ErrUnknown
	}
	if err != nil {
		l.failed = true
		pos = Position{}
	}
	if e.done != nil {
		e.done(pos, err)
	}
	<-l.places

	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished++
	for len(l.waiters) > 0 && l.waiters[0].target <= l.finished {
		close(l.waiters[0].ready)
		l.waiters = l.waiters[1:]
	}
}
