//go:build !linux

package doctor

import (
	"errors"
	"math"
)

// Unsynced gives nil: only Linux is asked.
func Unsynced() *bool { return nil }

// FileSystem gives nothing: only Linux is asked.
func FileSystem(string) string { return "" }

// Space gives an error: only Linux is asked.
func Space(string) (d Disk, total uint64, err error) { return d, 0, errors.ErrUnsupported }

// System gives no limits: only Linux is asked.
func System() Limits {
	return Limits{Threads: math.MaxInt64, Memory: math.MaxInt64, Available: math.MaxInt64,
		Backlog: math.MaxInt64}
}

func holder(int) string { return "" }
