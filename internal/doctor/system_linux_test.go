package doctor

import (
	"math"
	"strings"
	"testing"
)

// TestSystem reads what this machine tells.
func TestSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, total, err := Space(dir)
	if err != nil || total == 0 || d.Free > total || d.Inodes > d.Files || len(d.Options) == 0 {
		t.Errorf("%+v of %d, %v", d, total, err)
	}
	if FileSystem(dir) == "" || FileSystem("/proc") != "of type 9fa0" {
		t.Errorf("%q, %q", FileSystem(dir), FileSystem("/proc"))
	}
	l := System()
	if l.Memory <= 0 || l.CPUs < 0 || l.Available <= 0 || l.Available == math.MaxInt64 ||
		l.Swap == math.MaxInt64 || l.Backlog <= 0 || l.Threads <= 0 || l.Core {
		t.Errorf("%+v", l)
	}
}

// TestOptions takes those of the mount that a directory is on.
func TestOptions(t *testing.T) {
	t.Parallel()
	const mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw,errors=remount-ro\n" +
		"23 22 8:2 / /data rw,noatime shared:2 - ext4 /dev/b rw,nobarrier\n" +
		"24 22 8:3 / /data\\040two rw - xfs /dev/c rw\n" +
		"broken\n"
	for dir, want := range map[string]string{
		"/":             "rw relatime rw errors=remount-ro",
		"/database":     "rw relatime rw errors=remount-ro",
		"/data":         "rw noatime rw nobarrier",
		"/data/coffer":  "rw noatime rw nobarrier",
		"/data two/sub": "rw rw",
	} {
		if got := strings.Join(options(mounts, dir), " "); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}

// TestMemory reads what a machine has, and what its group leaves of the swap.
func TestMemory(t *testing.T) {
	t.Parallel()
	const text = "MemTotal: 24000 kB\nMemAvailable:  2048 kB\nSwapTotal: 1024 kB\n" +
		"HugePages_Total: 0\nSwapTotal: x kB\n"
	for bound, want := range map[string]int64{"max\n": 1 << 20, "0\n": 0, "4096\n": 4096} {
		l := Limits{Swap: math.MaxInt64, Available: math.MaxInt64}
		group(&l, "0::/a\n", fill(t, map[string]string{"a/memory.swap.max": bound}))
		memory(&l, text)
		if l.Swap != want || l.Available != 2<<20 {
			t.Errorf("%q: %+v", bound, l)
		}
	}
}

// TestGroup reads trees of both versions, from within and from without.
func TestGroup(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		files  map[string]string
		lines  string
		memory int64
		cpus   float64
		pids   int64 // 0: no bound
	}{
		"none": {nil, "0::/\n", math.MaxInt64, 0, 0},
		"garbage": {map[string]string{
			"memory.max": "x y", "cpu.max": "1",
		}, "x\n0::/\n", math.MaxInt64, 0, 0},
		"second": {map[string]string{
			"a/b/memory.max": "max\n", "a/memory.max": "1000\n", "a/b/cpu.max": "150000 100000\n",
			"a/cpu.max": "max 100000\n", "a/pids.max": "100\n", "a/b/pids.max": "max\n",
		}, "0::/a/b\n", 1000, 1.5, 100},
		"second, within": {map[string]string{
			"memory.max": "2000\n", "cpu.max": "50000 100000\n",
		}, "0::/not/here\n", 2000, 0.5, 0},
		"first": {map[string]string{
			"memory/g/memory.limit_in_bytes":          "3000\n",
			"memory/memory.limit_in_bytes":            "9223372036854771712\n",
			"cpu,cpuacct/cpu.cfs_quota_us":            "-1\n",
			"cpu,cpuacct/cpu.cfs_period_us":           "100000\n",
			"cpu,cpuacct/g/cpu.cfs_quota_us":          "400000\n",
			"cpu,cpuacct/g/cpu.cfs_period_us":         "100000\n",
			"blkio/g/memory.max":                      "1\n",
			"memory/elsewhere/memory.limit_in_bytes ": "1\n",
			"pids/g/pids.max":                         "200\n",
		}, "9:blkio:/g\n4:memory:/g\n3:cpu,cpuacct:/g\n2:pids:/g\n0::/\n", 3000, 4, 200},
		"first, no bound": {map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, "4:memory:/\n", math.MaxInt64, 0, 0},
	} {
		l := Limits{Memory: math.MaxInt64, Threads: math.MaxInt64}
		if row.pids == 0 {
			row.pids = math.MaxInt64
		}
		group(&l, row.lines, fill(t, row.files))
		if l.Memory != row.memory || l.CPUs != row.cpus || l.Threads != row.pids {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
