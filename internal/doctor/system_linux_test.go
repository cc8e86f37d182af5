package doctor

import (
	"math"
	"testing"
)

// TestSystem reads what this machine tells.
func TestSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	free, total, err := Free(dir)
	if err != nil || total == 0 || free > total {
		t.Errorf("free %d of %d, %v", free, total, err)
	}
	if FileSystem(dir) == "" || FileSystem("/proc") != "of type 9fa0" {
		t.Errorf("%q, %q", FileSystem(dir), FileSystem("/proc"))
	}
	if memory, cpus := Group(); memory <= 0 || cpus < 0 {
		t.Errorf("memory %d, %v CPUs", memory, cpus)
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
	}{
		"none": {nil, "0::/\n", math.MaxInt64, 0},
		"garbage": {map[string]string{
			"memory.max": "x y", "cpu.max": "1",
		}, "x\n0::/\n", math.MaxInt64, 0},
		"second": {map[string]string{
			"a/b/memory.max": "max\n", "a/memory.max": "1000\n", "a/b/cpu.max": "150000 100000\n",
			"a/cpu.max": "max 100000\n",
		}, "0::/a/b\n", 1000, 1.5},
		"second, within": {map[string]string{
			"memory.max": "2000\n", "cpu.max": "50000 100000\n",
		}, "0::/not/here\n", 2000, 0.5},
		"first": {map[string]string{
			"memory/g/memory.limit_in_bytes":          "3000\n",
			"memory/memory.limit_in_bytes":            "9223372036854771712\n",
			"cpu,cpuacct/cpu.cfs_quota_us":            "-1\n",
			"cpu,cpuacct/cpu.cfs_period_us":           "100000\n",
			"cpu,cpuacct/g/cpu.cfs_quota_us":          "400000\n",
			"cpu,cpuacct/g/cpu.cfs_period_us":         "100000\n",
			"blkio/g/memory.max":                      "1\n",
			"memory/elsewhere/memory.limit_in_bytes ": "1\n",
		}, "9:blkio:/g\n4:memory:/g\n3:cpu,cpuacct:/g\n0::/\n", 3000, 4},
		"first, no bound": {map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, "4:memory:/\n", math.MaxInt64, 0},
	} {
		memory, cpus := group(row.lines, fill(t, row.files))
		if memory != row.memory || cpus != row.cpus {
			t.Errorf("%s: %d bytes, %v CPUs", name, memory, cpus)
		}
	}
}
