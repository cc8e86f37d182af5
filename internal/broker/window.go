package broker

import (
	"context"
	"sync"
	"sync/atomic"
)

// window bounds publishings on their way to the store. Publishers wait at it, and enter
// in the order in which they came; the owner and the store only give back.
type window struct {
	mu        sync.Mutex
	count     int64
	bytes     int64
	maxCount  int64
	maxBytes  int64
	line      ring[*entrant] // those who wait
	waiting   *atomic.Int64  // counts those who wait at several windows
	closedErr error
}

// entrant is who enters a window: with as many of the first of pubs as fit, or, without
// pubs, with count and bytes as a whole.
type entrant struct {
	pubs  []Publishing
	count int64 // entered
	bytes int64
	let   chan error // with room for one: it has entered, or never will
}

func (w *window) open(maxCount, maxBytes int64, waiting *atomic.Int64) {
	w.maxCount, w.maxBytes, w.waiting = maxCount, maxBytes, waiting
}

// acquire waits until the first of pubs fits and takes as many as fit. One that
// is larger than the window fits when nothing else is in it.
func (w *window) acquire(ctx context.Context, pubs []Publishing) (n int, bytes int64, err error) {
	e := entrant{pubs: pubs}
	if err := w.enter(ctx, &e); err != nil {
		return 0, 0, err
	}
	return int(e.count), e.bytes, nil
}

// acquireAll waits until so much fits, and takes it. What is larger than the window
// fits when nothing else is in it.
func (w *window) acquireAll(ctx context.Context, count, bytes int64) error {
	return w.enter(ctx, &entrant{count: count, bytes: bytes})
}

func (w *window) enter(ctx context.Context, e *entrant) error {
	w.mu.Lock()
	if w.closedErr != nil || w.line.len() == 0 && w.admit(e) {
		defer w.mu.Unlock()
		return w.closedErr
	}
	e.let = make(chan error, 1)
	w.line.pushBack(e)
	w.mu.Unlock()
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	select {
	case err := <-e.let:
		return err
	case <-ctx.Done():
		return w.leave(ctx, e)
	}
}

// leave takes e out of the line, unless it has come to its end meanwhile.
func (w *window) leave(ctx context.Context, e *entrant) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.line.len() {
		if *w.line.at(i) == e {
			w.line.remove(i)
			w.advance() // it may have kept others waiting
			return ctx.Err()
		}
	}
	return <-e.let
}

// admit lets e enter if it fits. The caller holds mu.
func (w *window) admit(e *entrant) bool {
	if len(e.pubs) == 0 {
		return w.take(e.count, e.bytes)
	}
	for i := range e.pubs {
		size := e.pubs[i].Message.Weight()
		if !w.take(1, size) {
			break
		}
		e.count++
		e.bytes += size
	}
	return e.count > 0
}

func (w *window) take(count, bytes int64) bool {
	if w.count > 0 && (w.count+count > w.maxCount || w.bytes+bytes > w.maxBytes) {
		return false
	}
	w.count += count
	w.bytes += bytes
	return true
}

// advance lets those enter who are the first in the line and fit. The caller holds mu.
func (w *window) advance() {
	for w.line.len() > 0 && w.admit(*w.line.at(0)) {
		w.line.popFront().let <- nil
	}
}

func (w *window) release(count, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count -= count
	w.bytes -= bytes
	w.advance()
}

// held is how much there is in it.
func (w *window) held() (count, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, w.bytes
}

// close fails those who wait and who come.
func (w *window) close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closedErr == nil {
		w.closedErr = err
	}
	for w.line.len() > 0 {
		w.line.popFront().let <- w.closedErr
	}
}
