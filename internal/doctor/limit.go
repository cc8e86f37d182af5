package doctor

import "math"

// forStore is how many files the process needs beside its connections.
const forStore = 1024

// Limits are what the system allows a process.
type Limits struct {
	// Files is how many it may have open, and Connections how many one listener takes.
	Files, Connections uint64
	// Memory is the bound of its control group in bytes, and GoMemory what Go's own
	// collector keeps below; [math.MaxInt64]: none.
	Memory, GoMemory int64
	// CPUs is the bound of its control group, 0: none; Procs is GOMAXPROCS.
	CPUs  float64
	Procs int
}

// Check looks at the limits.
func (l Limits) Check(r *Report) {
	const files = "limit.files"
	switch {
	case l.Files < forStore:
		r.Find(files, Error, "raise the limit of open files (LimitNOFILE of systemd, ulimit -n)",
			"%d files may be open; the store alone may need %d", l.Files, forStore)
	case l.Files < forStore+l.Connections:
		r.Find(files, Warning, "raise the limit of open files (LimitNOFILE of systemd, ulimit -n)",
			"%d files may be open; a listener takes %d connections", l.Files, l.Connections)
	default:
		r.Look(files)
	}
	const memory = "limit.memory"
	switch {
	case l.Memory == math.MaxInt64:
		r.Look(memory)
	case l.GoMemory > l.Memory-l.Memory/10:
		r.Find(memory, Warning, "set GOMEMLIMIT to nine tenths of the bound at most, so that "+
			"memory is collected before the system ends the process",
			"the control group allows %s, and GOMEMLIMIT is %s", size(uint64(l.Memory)),
			bound(l.GoMemory))
	default:
		r.Look(memory)
	}
	const cpu = "limit.cpu"
	switch {
	case l.CPUs > 0 && float64(l.Procs) >= l.CPUs+1 && l.Procs > 2:
		r.Find(cpu, Warning, "leave GOMAXPROCS unset, or set it to what the group allows",
			"the control group allows %.2g CPUs, and GOMAXPROCS is %d", l.CPUs, l.Procs)
	default:
		r.Look(cpu)
	}
}

func bound(n int64) string {
	if n == math.MaxInt64 {
		return "not set"
	}
	return size(uint64(n))
}
