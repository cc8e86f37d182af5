package bench

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor times in /proc, which Linux fixes for programs.
const tick = 10 * time.Millisecond

// CPU is the processor time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is the processor time that a process has used: utime and stime of proc(5).
// The name before them may hold anything but its closing parenthesis last.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has only %d fields", pid, len(fields))
	}
	u, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(u+s) * tick, err
}

// Resident is the memory of a process that is resident, in bytes.
func Resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "\nVmRSS:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kib << 10, err
}

// nameOf is the command name of a process.
func nameOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // without it: none
	return strings.TrimSpace(string(name))
}

// listener finds the process of this machine that listens where conn leads to: 0 if it
// leads elsewhere, or the kernel does not say.
func listener(conn net.Conn) int {
	local, lerr := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, rerr := netip.ParseAddrPort(conn.RemoteAddr().String())
	if lerr != nil || rerr != nil || local.Addr() != remote.Addr() {
		return 0
	}
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err == nil {
			sockets = append(sockets, listening(string(text), remote)...)
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well formed
	for _, name := range files {
		to, err := os.Readlink(name)
		if err == nil && slices.Contains(sockets, to) {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			return pid
		}
	}
	return 0
}

// listening gives the sockets of a table of proc_net(5) that take connections to addr,
// as links of descriptors name them.
func listening(table string, addr netip.AddrPort) (sockets []string) {
	const address, state, inode, listen = 1, 3, 9, "0A"
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) <= inode || f[state] != listen {
			continue
		}
		at, ok := parseSocket(f[address])
		if ok && at.Port() == addr.Port() &&
			(at.Addr().IsUnspecified() || at.Addr() == addr.Addr().Unmap()) {
			sockets = append(sockets, "socket:["+f[inode]+"]")
		}
	}
	return sockets
}

// parseSocket reads an address of proc_net(5): words of 32 bits in the order of the
// machine, which is little-endian wherever Coffer is built for, and the port.
func parseSocket(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}
