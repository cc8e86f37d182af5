package node

import (
	"bufio"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"coffer/internal/doctor"
)

// maxFiles gives how many files the process may have open; 0: the system does not tell.
func maxFiles() int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int64(min(limit.Cur, 1<<30))
}

// connectionBudget gives how many connections all listeners together may have with so many files:
// all but what the store needs, or half of few.
func connectionBudget(files int64) int {
	if files <= 0 {
		return math.MaxInt32
	}
	return int(max(files-doctor.FilesBeside, files/2))
}

// descriptors gives how many files the process has open, and how many it may.
func descriptors() (open, most int64) {
	most = maxFiles()
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, most
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1024)
		open += int64(len(names))
		if err != nil {
			return max(open-1, 0), most // but for dir itself
		}
	}
}

// residentMemory is what the process has of the machine's memory, in bytes.
func residentMemory() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	return statm(string(text)) * int64(os.Getpagesize())
}

// statm reads the number of resident pages.
func statm(text string) int64 {
	f := strings.Fields(text)
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// machineMemory is the memory that the process may take: there is no other bound.
func machineMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	return meminfo(f)
}

// meminfo reads MemTotal, in bytes.
func meminfo(r io.Reader) int64 {
	for in := bufio.NewScanner(r); in.Scan(); {
		f := strings.Fields(in.Text())
		if len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || n < 0 || n > 1<<52 {
				return 0
			}
			return n << 10
		}
	}
	return 0
}
