package bench

import (
	"net"
	"os"
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

// find looks for the process that conn leads to, if it is not known, and at its memory.
func (g *gauge) find(conn net.Conn) {
	if g.pid == 0 {
		if g.pid = listener(conn); g.pid == os.Getpid() {
			g.pid = 0 // a server within this process
		}
	}
	if g.pid != 0 {
		g.memory.before, _ = Resident(g.pid) // without it: unknown
	}
}

// watch looks at the broker's memory until the result is called, once or more often.
func (g *gauge) watch() (stop func()) {
	if g.pid == 0 {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(sample)
		defer ticker.Stop()
		for {
			if n, err := Resident(g.pid); err == nil {
				g.memory.seen = append(g.memory.seen, n)
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
func (g *gauge) server() *Server {
	if g.pid == 0 || len(g.memory.seen) == 0 {
		return nil
	}
	slices.Sort(g.memory.seen)
	return &Server{
		PID: g.pid, Command: nameOf(g.pid), Before: g.memory.before,
		Median: g.memory.seen[len(g.memory.seen)/2], Peak: slices.Max(g.memory.seen),
	}
}
