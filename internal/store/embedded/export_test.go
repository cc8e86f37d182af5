package embedded

// Settled reports whether no flush runs and none is due, for tests.
func (e *Engine) Settled() bool {
	f := e.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.busy && !f.full()
}
