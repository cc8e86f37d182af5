package broker

import (
	"context"
	"sync"
)

// window bounds publishings on their way to the store. Publishers wait at it;
// the owner and the store only give back.
type window struct {
	mu        sync.Mutex
	room      sync.Cond
	count     int64
	bytes     int64
	maxCount  int64
	maxBytes  int64
	large     bool // one that fits alone waits, and nobody overtakes it
	closedErr error
}

func (w *window) open(maxCount, maxBytes int64) {
	w.room.L = &w.mu
	w.maxCount, w.maxBytes = maxCount, maxBytes
}

// acquire waits until the first of pubs fits and takes as many as fit. One that
// is larger than the window fits when nothing else is in it.
func (w *window) acquire(ctx context.Context, pubs []Publishing) (n int, bytes int64, err error) {
	first := pubs[0].Message.Weight()
	w.mu.Lock()
	defer w.mu.Unlock()
	if large := first > w.maxBytes; !w.fits(first) {
		stop := context.AfterFunc(ctx, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.room.Broadcast()
		})
		defer stop()
		mine := false
		for (w.large && !mine || !w.mayEnter(first)) && w.closedErr == nil && ctx.Err() == nil {
			if large && !w.large {
				w.large, mine = true, true
			}
			w.room.Wait()
		}
		if mine {
			w.large = false
			w.room.Broadcast()
		}
	}
	if w.closedErr != nil {
		return 0, 0, w.closedErr
	}
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	for n < len(pubs) {
		size := pubs[n].Message.Weight()
		if !w.fits(size) {
			break
		}
		w.count++
		w.bytes += size
		bytes += size
		n++
	}
	return n, bytes, nil
}

// fits reports whether a message may enter; one that waits to be alone goes
// first.
func (w *window) fits(size int64) bool { return !w.large && w.mayEnter(size) }

func (w *window) mayEnter(size int64) bool {
	return w.count == 0 || w.count < w.maxCount && w.bytes+size <= w.maxBytes
}

func (w *window) release(count, bytes int64) {
	w.mu.Lock()
	w.count -= count
	w.bytes -= bytes
	w.mu.Unlock()
	w.room.Broadcast()
}

// close fails those who wait and who come.
func (w *window) close(err error) {
	w.mu.Lock()
	if w.closedErr == nil {
		w.closedErr = err
	}
	w.mu.Unlock()
	w.room.Broadcast()
}

// acquireAll waits until so much fits, and takes it; nobody overtakes it. What is
// larger than the window fits when nothing else is in it.
func (w *window) acquireAll(ctx context.Context, count, bytes int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.room.Broadcast()
	})
	defer stop()
	mine := false
	enters := func() bool {
		return w.count == 0 || w.count+count <= w.maxCount && w.bytes+bytes <= w.maxBytes
	}
	for (w.large && !mine || !enters()) && w.closedErr == nil && ctx.Err() == nil {
		if !w.large {
			w.large, mine = true, true
		}
		w.room.Wait()
	}
	if mine {
		w.large = false
		w.room.Broadcast()
	}
	if w.closedErr != nil {
		return w.closedErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.count += count
	w.bytes += bytes
	return nil
}
