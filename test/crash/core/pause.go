package core

import (
	"runtime"
	"time"

	"coffer/internal/fault"
)

// pause waits some milliseconds of the real time on which leases and delays run.
// At the end of the load it ends the goroutine.
func (c *child) pause(milli int64) {
	timer := time.NewTimer(time.Duration(milli) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ended:
		runtime.Goexit()
	}
}

// locked reports whether an error comes from a locked domain.
func locked(err error) bool {
	if err == nil {
		return false
	}
	k := fault.KindOf(err)
	return k == fault.KeyUnavailable || k == fault.Unavailable
}
