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

// Free gives an error: only Linux is asked.
func Free(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }

// Group gives no bounds: only Linux has such groups.
func Group() (memory int64, cpus float64) { return math.MaxInt64, 0 }

func holder(int) string { return "" }
