package protocoltest

import (
	"sync"

	"coffer/internal/fault"
)

// LowDisk is why there is no room.
const LowDisk = "the disk is almost full"

// Space is a disk that a test fills.
type Space struct {
	watchers watchers

	mu  sync.Mutex
	why error
}

// Room is nil while there is room.
func (s *Space) Room() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// WatchRoom calls fn after each change until stop is called.
func (s *Space) WatchRoom(fn func()) (stop func()) { return s.watchers.add(fn) }

// Fill fills the disk, or makes room.
func (s *Space) Fill(full bool) {
	s.mu.Lock()
	s.why = nil
	if full {
		s.why = fault.New(fault.Exhausted, LowDisk)
	}
	s.mu.Unlock()
	s.watchers.call()
}

// watchers is a set of functions.
type watchers struct {
	mu  sync.Mutex
	fns map[*func()]bool
}

func (w *watchers) add(fn func()) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[*func()]bool{}
	}
	w.fns[&fn] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, &fn)
	}
}

func (w *watchers) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for fn := range w.fns {
		(*fn)()
	}
}
