package bench

import (
	"slices"
	"sync"
	"time"
)

// sample is the time between two looks at the memory of the broker.
const sample = 100 * time.Millisecond

// memory is what was resident of the broker, in bytes.
type memory struct {
	before int64
	seen   []int64
}

// watch looks at the broker's memory until the result is called, once or more often.
func (r *run) watch() (stop func()) {
	if r.pid == 0 {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(sample)
		defer ticker.Stop()
		for {
			if n, err := Resident(r.pid); err == nil {
				r.memory.seen = append(r.memory.seen, n)
			}
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(end)
		<-ended
	})
}

// server tells of the broker's process, or nil.
func (r *run) server() *Server {
	if r.pid == 0 || len(r.memory.seen) == 0 {
		return nil
	}
	slices.Sort(r.memory.seen)
	return &Server{
		PID: r.pid, Command: nameOf(r.pid), Before: r.memory.before,
		Median: r.memory.seen[len(r.memory.seen)/2], Peak: slices.Max(r.memory.seen),
	}
}
