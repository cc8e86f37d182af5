package broker

// abandon lets those who wait at queues hear that the shard failed, once: no alarm
// and no message will come to end it.
func (sh *shard) abandon() {
	if sh.abandoned {
		return
	}
	sh.abandoned = true
	sh.core.mu.Lock()
	for _, n := range sh.core.namespaces {
		if n.shard != sh {
			continue
		}
		n.Topology().Queues(func(q *Queue) bool {
			if q.state.gets.len() > 0 || q.state.receivers.len() > 0 {
				sh.touch(q)
			}
			return true
		})
	}
	sh.core.mu.Unlock()
	sh.pumpAll()
	sh.run(sh.now, sh.err)
	clear(sh.now)
	sh.now = sh.now[:0]
}
