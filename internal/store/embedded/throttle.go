package embedded

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// lookEvery is how often a compaction that waits is looked for, as in Pebble's
// own scheduler.
const lookEvery = 100 * time.Millisecond

// A throttle is Pebble's scheduler of compactions, with the pauses of a
// quarantine. Pebble's own one cannot be wrapped: the way to make it that is
// public leaves out its periodic look for work, which is here.
type throttle struct {
	*pebble.ConcurrencyLimitScheduler
	q       *quarantine
	stop    chan struct{}
	stopped chan struct{} // closed when the periodic look ended
}

var _ pebble.CompactionScheduler = (*throttle)(nil)

func newThrottle(q *quarantine) *throttle {
	s := pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	return &throttle{s, q, make(chan struct{}), make(chan struct{})}
}

// Register is [pebble.CompactionScheduler]'s.
func (t *throttle) Register(goroutines int, db pebble.DBForCompaction) {
	t.ConcurrencyLimitScheduler.Register(goroutines, throttled{db, t.q})
	go t.look()
}

// look begins compactions that wait until Unregister.
func (t *throttle) look() {
	defer close(t.stopped)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if ok, turn := t.TrySchedule(); ok {
				turn.Done() // gives the turn to one that waits
			}
		case <-t.stop:
			return
		}
	}
}

// Unregister is [pebble.CompactionScheduler]'s.
func (t *throttle) Unregister() {
	close(t.stop)
	<-t.stopped
	t.ConcurrencyLimitScheduler.Unregister()
}

// throttled is a store that allows no compaction in a pause.
type throttled struct {
	pebble.DBForCompaction
	q *quarantine
}

// GetAllowedWithoutPermission is [pebble.DBForCompaction]'s.
func (t throttled) GetAllowedWithoutPermission() int {
	if t.q.paused() {
		return 0
	}
	return t.DBForCompaction.GetAllowedWithoutPermission()
}
