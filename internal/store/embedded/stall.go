package embedded

import (
	"time"

	"coffer/internal/store"
)

// insist makes a change again that met a full disk: at once when the reserve was
// given up for it, then until there is room. It gives up, with the error of the
// last attempt, when the engine is closed, and while it is opened: there the
// operator is told best by a start that fails.
//
// An idle change can wait for long without keeping anything else from going on,
// so the reserve is not for it: settlements and keys shall go on in that.
func (s *space) insist(op, name string, idle bool, change func() error) error {
	e := s.engine
	if !idle || !e.running.Load() {
		if err := s.reserve.giveUp(); err != nil {
			e.cfg.Logger.Warn("the reserve cannot be given up", "file", s.reserve.path,
				"error", err)
		}
	}
	if !e.running.Load() {
		return change()
	}
	s.update()
	err := change()
	if !store.Full(err) {
		return err
	}
	s.enter(op, name, idle, err)
	defer s.leave(idle)
	for wait := stallFirst; store.Full(err); wait = min(2*wait, e.cfg.PollSpace) {
		select {
		case <-time.After(wait):
		case <-s.closing:
			return err
		}
		if e.dead() != nil {
			return nil
		}
		s.remind(op, name)
		if idle && s.reserve.spent.Load() {
			continue
		}
		err = change()
	}
	return err
}

// enter notes a write that waits. The first of them is told.
func (s *space) enter(op, name string, idle bool, err error) {
	s.mu.Lock()
	s.stalled++
	if idle {
		s.idle++
	}
	if s.stalled == 1 {
		s.reminded = time.Now()
		s.engine.cfg.Logger.Error("the disk is full, writes wait until there is room",
			"operation", op, "file", name, "error", err)
	}
	s.mu.Unlock()
	s.update()
}

// remind tells now and then that writes still wait.
func (s *space) remind(op, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.reminded) < stallRemind {
		return
	}
	s.reminded = time.Now()
	s.engine.cfg.Logger.Error("the disk is still full, writes wait until there is room",
		"operation", op, "file", name, "waiting", s.stalled)
}

// leave notes that a write waits no more. What may be said about room is seen
// by a look at the disk.
func (s *space) leave(idle bool) {
	s.mu.Lock()
	s.stalled--
	if idle {
		s.idle--
	}
	if s.stalled == 0 && s.engine.dead() == nil {
		s.engine.cfg.Logger.Info("writes go on")
	}
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// ended reports whether nothing waits for room any more.
func (s *space) ended() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
