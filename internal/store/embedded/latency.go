package embedded

import (
	"log/slog"
	"sync"
	"time"
)

// syncs watches how long the disk takes to make things durable.
type syncs struct {
	slow   time.Duration
	synced func(time.Duration) // told of the log's; may be nil
	log    *slog.Logger

	mu      sync.Mutex
	running []syncing // places that are used again
}

// syncing is one sync that has not returned.
type syncing struct {
	file  string // "": the place is free
	began time.Time
	told  bool // it was logged as slow
}

// measure runs a sync of a file; log says that it is the log's.
func (s *syncs) measure(file string, log bool, sync func() error) error {
	began := time.Now()
	at := s.enter(syncing{file: file, began: began})
	err := sync()
	took := time.Since(began)
	if told := s.leave(at); told || took > s.slow {
		s.log.Warn("a sync was slow", "file", file, "took", took)
	}
	if log && s.synced != nil && err == nil {
		s.synced(took)
	}
	return err
}

func (s *syncs) enter(one syncing) (at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at < len(s.running) && s.running[at].file != "" {
		at++
	}
	if at == len(s.running) {
		s.running = append(s.running, one)
	}
	s.running[at] = one
	return at
}

func (s *syncs) leave(at int) (told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told = s.running[at].told
	s.running[at] = syncing{}
	return told
}

// check tells of each sync that takes too long, once.
func (s *syncs) check(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.running {
		at := &s.running[i]
		if so := now.Sub(at.began); at.file != "" && so > s.slow && !at.told {
			at.told = true
			s.log.Warn("a sync takes long", "file", at.file, "so_far", so)
		}
	}
}

// longest is the time that the oldest of the running syncs has taken so far.
func (s *syncs) longest(now time.Time) (most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.running {
		if at.file != "" {
			most = max(most, now.Sub(at.began))
		}
	}
	return most
}

// Stats is what the engine knows about its disk.
type Stats struct {
	FreeBytes     uint64        // as of the last look; 0 where the file system does not tell
	LowWaterBytes uint64        // the mark; 0 where the file system does not tell
	Waiting       int           // writes that wait for room
	SlowSync      time.Duration // how long a sync has been running that is slow; else 0
}

// Stats gives the present numbers. It is cheap.
func (e *Engine) Stats() Stats {
	st := Stats{FreeBytes: e.space.free.Load(), LowWaterBytes: e.space.mark.Load()}
	e.space.mu.Lock()
	st.Waiting = e.space.stalled
	e.space.mu.Unlock()
	if d := e.syncs.longest(time.Now()); d > e.cfg.SlowSync {
		st.SlowSync = d
	}
	return st
}
