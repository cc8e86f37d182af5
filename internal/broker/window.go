package broker

import (
	"context"
	"sync"
	"sync/atomic"
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
	firm      int           // those who wait and must not be overtaken
	waiting   *atomic.Int64 // counts those who wait at several windows
	closedErr error
}

func (w *window) open(maxCount, maxBytes int64, waiting *atomic.Int64) {
	w.room.L = &w.mu
	w.maxCount, w.maxBytes, w.waiting = maxCount, maxBytes, waiting
}

// acquire waits until the first of pubs fits and takes as many as fit. One that
// is larger than the window fits when nothing else is in it, and is not overtaken.
func (w *window) acquire(ctx context.Context, pubs []Publishing) (n int, bytes int64, err error) {
	first := pubs[0].Message.Weight()
	w.mu.Lock()
	defer w.mu.Unlock()
	err = w.wait(ctx, first > w.maxBytes, func() bool { return w.fits(first) })
	if err != nil {
		return 0, 0, err
	}
	for n < len(pubs) {
		size := pubs[n].Message.Weight()
		if n > 0 && w.firm > 0 || !w.fits(size) {
			break
		}
		w.count++
		w.bytes += size
		bytes += size
		n++
	}
	return n, bytes, nil
}

// acquireAll waits until so much fits, and takes it; nobody overtakes it. What is
// larger than the window fits when nothing else is in it.
func (w *window) acquireAll(ctx context.Context, count, bytes int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.wait(ctx, true, func() bool {
		return w.count == 0 || w.count+count <= w.maxCount && w.bytes+bytes <= w.maxBytes
	})
	if err == nil {
		w.count += count
		w.bytes += bytes
	}
	return err
}

// wait holds mu, but for the time that it waits until enters. Who is not firm
// lets all go first who are.
func (w *window) wait(ctx context.Context, firm bool, enters func() bool) error {
	may := func() bool { return (firm || w.firm == 0) && enters() }
	if !may() && w.closedErr == nil {
		w.waiting.Add(1)
		defer w.waiting.Add(-1)
		if firm {
			w.firm++
			defer func() {
				w.firm--
				w.room.Broadcast()
			}()
		}
		stop := context.AfterFunc(ctx, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.room.Broadcast()
		})
		defer stop()
		for !may() && w.closedErr == nil && ctx.Err() == nil {
			w.room.Wait()
		}
	}
	if w.closedErr != nil {
		return w.closedErr
	}
	return ctx.Err()
}

func (w *window) fits(size int64) bool {
	return w.count == 0 || w.count < w.maxCount && w.bytes+size <= w.maxBytes
}

func (w *window) release(count, bytes int64) {
	w.mu.Lock()
	w.count -= count
	w.bytes -= bytes
	w.mu.Unlock()
	w.room.Broadcast()
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
	if w.closedErr == nil {
		w.closedErr = err
	}
	w.mu.Unlock()
	w.room.Broadcast()
}
