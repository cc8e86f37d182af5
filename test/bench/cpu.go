package bench

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that this process has used. Beside a figure per
// second it tells what a busy machine hides.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
