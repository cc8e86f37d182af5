package doctor

import "math"

// FilesBeside is how many files the process needs beside its connections.
const FilesBeside = 1024

// Bounds of what a machine should allow.
const (
	fewThreads   = 256
	shortBacklog = 1024
	littleMemory = 512 << 20
)

// Limits are what the system allows a process.
type Limits struct {
	// Serving: they are those of the process that serves, and not of who asks.
	Serving bool
	// Files is how many it may have open, Open how many it has, and Connections how many one
	// listener takes.
	Files, Open, Connections uint64
	// Threads is the bound of its control group, [math.MaxInt64]: none.
	Threads int64
	// Swap is how much of it may be swapped out, and Available the memory that the machine
	// could still give; in bytes.
	Swap, Available int64
	// Core: a crash would write the memory into a file.
	Core bool
	// Backlog is how many connections may wait to be taken.
	Backlog int64
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
	case l.Files < FilesBeside:
		r.Find(files, Error, "raise the limit of open files (LimitNOFILE of systemd, ulimit -n)",
			"%d files may be open; the store alone may need %d", l.Files, FilesBeside)
	case l.Files < FilesBeside+l.Connections:
		r.Find(files, Warning, "raise the limit of open files (LimitNOFILE of systemd, ulimit -n)",
			"%d files may be open; a listener takes %d connections", l.Files, l.Connections)
	case l.Serving && l.Open > l.Files/10*8:
		r.Find(files, Warning, "raise the limit of open files (LimitNOFILE of systemd, "+
			"ulimit -n), or see who connects so often", "%d of %d files are open", l.Open, l.Files)
	default:
		r.Look(files)
	}
	l.secrecy(r)
	l.machine(r)
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

// secrecy looks at ways by which keys could get onto a disk.
func (l Limits) secrecy(r *Report) {
	const swap, core = "limit.swap", "limit.core"
	if !l.Serving {
		r.Skip(swap, "the process that serves knows its own bounds")
		r.Skip(core, "the process that serves knows its own bounds")
		return
	}
	if r.Look(swap); l.Swap > 0 {
		r.Find(swap, Warning, "keep the process out of it (MemorySwapMax=0 of systemd), switch it "+
			"off, or encrypt it", "%s of the process may be swapped out, and keys with it",
			size(uint64(l.Swap)))
	}
	if r.Look(core); l.Core {
		r.Find(core, Warning, "leave GOTRACEBACK unset, or forbid core dumps (LimitCORE=0 of "+
			"systemd, ulimit -c 0)", "a crash would write the memory, and keys in it, into a file")
	}
}

// machine looks at what others on the machine leave.
func (l Limits) machine(r *Report) {
	const threads, backlog, available = "limit.threads", "limit.backlog", "limit.available"
	if r.Look(threads); l.Threads < fewThreads {
		r.Find(threads, Warning, "raise it (TasksMax= of systemd, the limit of a pod): who "+
			"waits for the disk takes a thread", "the control group allows %d threads", l.Threads)
	}
	if r.Look(backlog); l.Backlog < shortBacklog {
		r.Find(backlog, Note, "sysctl -w net.core.somaxconn=4096: after a restart all clients "+
			"come at once", "%d connections may wait to be taken", l.Backlog)
	}
	if r.Look(available); l.Available < littleMemory {
		r.Find(available, Warning, "give the machine more memory, or move what else runs there",
			"%s of memory are left", size(uint64(l.Available)))
	}
}

func bound(n int64) string {
	if n == math.MaxInt64 {
		return "not set"
	}
	return size(uint64(n))
}
