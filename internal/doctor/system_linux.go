package doctor

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// unsynced is STA_UNSYNC of adjtimex(2), and clockError its state TIME_ERROR.
const (
	unsynced   = 0x40
	clockError = 5
)

// Unsynced tells whether the system says that nothing sets its clock; nil: it does not say.
func Unsynced() *bool {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return nil
	}
	lost := state == clockError || t.Status&unsynced != 0
	return &lost
}

// FileSystem names the file system of a directory; "": it is not known.
func FileSystem(dir string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return ""
	}
	name := map[uint32]string{
		0x01021994: "tmpfs", 0x858458f6: "ramfs", 0x794c7630: "overlay", 0x6969: "nfs",
		0xff534d42: "cifs", 0xfe534d42: "smb2", 0x01021997: "9p", 0x65735546: "fuse",
		0x00c36400: "ceph", 0x5346414f: "afs", 0xef53: "ext4", 0x58465342: "xfs",
		0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0xf2f52010: "f2fs",
	}[uint32(s.Type)]
	if name == "" {
		name = "of type " + strconv.FormatUint(uint64(uint32(s.Type)), 16)
	}
	return name
}

// Space tells of the file system of a directory: the room that a process has and all there
// is, in bytes, and the same of files.
func Space(dir string) (d Disk, total uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Disk{}, 0, err
	}
	unit := uint64(s.Bsize)
	mounts, _ := os.ReadFile("/proc/self/mountinfo") // without it: no options
	return Disk{
		Free: s.Bavail * unit, Inodes: s.Ffree, Files: s.Files, Type: FileSystem(dir),
		Options: options(string(mounts), dir),
	}, s.Blocks * unit, nil
}

// options gives those with which the file system of a directory is mounted.
//
// Source: proc_pid_mountinfo(5).
func options(mounts, dir string) (list []string) {
	longest := 0
	for line := range strings.Lines(mounts) {
		f, last, found := strings.Cut(strings.TrimSpace(line), " - ")
		of, super := strings.Fields(f), strings.Fields(last)
		if !found || len(of) < 6 || len(super) < 3 {
			continue
		}
		// A path may have spaces, which are told as octal.
		at := strings.ReplaceAll(of[4], `\040`, " ")
		if dir != at && at != "/" && !strings.HasPrefix(dir, at+"/") || len(at) < longest {
			continue
		}
		longest = len(at)
		list = append(strings.Split(of[5], ","), strings.Split(super[2], ",")...)
	}
	return list
}

// System gives the limits of this process, but for what only its own settings say.
func System() Limits {
	l := Limits{Threads: math.MaxInt64, Memory: math.MaxInt64, Swap: math.MaxInt64,
		Available: math.MaxInt64, Backlog: number("/proc/sys/net/core", "somaxconn")}
	if text, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		group(&l, string(text), "/sys/fs/cgroup")
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		l.Swap = 0
	}
	memory(&l, string(text))
	var core syscall.Rlimit
	l.Core = syscall.Getrlimit(syscall.RLIMIT_CORE, &core) == nil && core.Cur > 0 &&
		os.Getenv("GOTRACEBACK") == "crash"
	return l
}

// memory reads /proc/meminfo, whose lines are "Name: n kB".
func memory(l *Limits, text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			continue
		}
		switch n *= 1024; f[0] {
		case "SwapTotal:":
			l.Swap = min(l.Swap, n)
		case "MemAvailable:":
			l.Available = n
		}
	}
}

// group sets the bounds of a control group: it follows the lines of /proc/self/cgroup,
// which are hierarchy:controllers:path, to the bounds of the group and of all it is in.
// Within a container the paths are those of the machine outside, and only the top is there.
func group(l *Limits, lines, root string) {
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		top := root
		switch f[1] {
		case "":
		case "memory", "pids":
			top = filepath.Join(root, f[1])
		case "cpu", "cpu,cpuacct", "cpuacct,cpu":
			top = filepath.Join(root, f[1])
		default:
			continue
		}
		for path := filepath.Clean("/" + f[2]); ; path = filepath.Dir(path) {
			dir := filepath.Join(top, path)
			l.Memory = min(l.Memory, number(dir, "memory.max"),
				number(dir, "memory.limit_in_bytes"))
			l.Swap = min(l.Swap, number(dir, "memory.swap.max"))
			l.Threads = min(l.Threads, number(dir, "pids.max"))
			if q := quota(dir); q > 0 && (l.CPUs == 0 || q < l.CPUs) {
				l.CPUs = q
			}
			if path == "/" {
				break
			}
		}
	}
	if l.Memory > 1<<60 { // how the first version says that there is none
		l.Memory = math.MaxInt64
	}
}

func words(dir, name string) []string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// number reads a file of one; a file without one bounds nothing.
func number(dir, name string) int64 {
	if w := words(dir, name); len(w) == 1 {
		if n, err := strconv.ParseInt(w[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return math.MaxInt64
}

// quota is the CPUs of a group; 0: no bound.
func quota(dir string) float64 {
	w := words(dir, "cpu.max")
	if len(w) != 2 {
		w = append(words(dir, "cpu.cfs_quota_us"), words(dir, "cpu.cfs_period_us")...)
	}
	if len(w) != 2 {
		return 0
	}
	q, err := strconv.ParseFloat(w[0], 64)
	period, perr := strconv.ParseFloat(w[1], 64)
	if err != nil || perr != nil || q <= 0 || period <= 0 {
		return 0
	}
	return q / period
}

// holder names the process that listens on a port, as far as this user may see.
func holder(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			const listening = "0A"
			if len(f) < 10 || f[3] != listening {
				continue
			}
			_, at, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(at, 16, 16); err != nil || int(n) != port {
				continue
			}
			if who := socketOwner("socket:[" + f[9] + "]"); who != "" {
				return " by " + who
			}
		}
	}
	return ""
}

// socketOwner finds the process that has a socket.
func socketOwner(link string) string {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, path := range links {
		if to, err := os.Readlink(path); err != nil || to != link {
			continue
		}
		dir := filepath.Dir(filepath.Dir(path))
		return strings.Join(append(words(dir, "comm"), "(process", filepath.Base(dir)+")"), " ")
	}
	return ""
}
