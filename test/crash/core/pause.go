package core

import (
	"time"

	"coffer/internal/fault"
)

// pause waits some milliseconds of the real time on which leases and delays run.
func pause(milli int64) { <-time.After(time.Duration(milli) * time.Millisecond) }

// locked reports whether an error comes from a locked domain.
func locked(err error) bool {
	if err == nil {
		return false
	}
	k := fault.KindOf(err)
	return k == fault.KeyUnavailable || k == fault.Unavailable
}
