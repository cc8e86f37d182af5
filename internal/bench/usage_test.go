package bench

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
)

// TestListening reads tables of the kernel.
func TestListening(t *testing.T) {
	t.Parallel()
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt" +
		"   uid  timeout inode\n"
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 "
	table := head +
		"   0: 0100007F:1F90 00000000:0000 0A" + rest + "11 1\n" + // 127.0.0.1:8080 listens
		"   1: 00000000:1F90 00000000:0000 0A" + rest + "12 1\n" + // everywhere
		"   2: 0100007F:1F90 0100007F:A000 01" + rest + "13 1\n" + // a connection
		"   3: 0200007F:1F90 00000000:0000 0A" + rest + "14 1\n" + // elsewhere
		"   4: 0100007F:1F91 00000000:0000 0A" + rest + "15 1\n" +
		"   5: 0000000000000000FFFF00000100007F:1F90 00000000:00000000 0A" + rest + "16 1\n" +
		"   6: 00000000000000000000000000000000:1F90 00000000:00000000 0A" + rest + "17 1\n" +
		"   7: 00000000000000000000000001000000:1F90 00000000:00000000 0A" + rest + "18 1\n" +
		"   8: x:1F90 0 0A" + rest + "19 1\n   9: 0100007F 0 0A" + rest + "20 1\n\n"
	for addr, want := range map[string][]string{
		"127.0.0.1:8080": {"socket:[11]", "socket:[12]", "socket:[16]", "socket:[17]"},
		"[::1]:8080":     {"socket:[12]", "socket:[17]", "socket:[18]"},
		"127.0.0.1:9":    nil,
	} {
		got := listening(table, netip.MustParseAddrPort(addr))
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

// TestOwnUsage finds this process by a port it listens on, and what it uses.
func TestOwnUsage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("without /proc")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pid := listener(c)
	if pid != os.Getpid() {
		t.Fatalf("process %d listens, want %d", pid, os.Getpid())
	}
	cpu, err := cpuOf(pid)
	if err != nil || cpu < 0 || CPU() <= 0 {
		t.Errorf("%v and %v of processor time, %v", cpu, CPU(), err)
	}
	if n, err := Resident(pid); err != nil || n < 1<<20 || nameOf(pid) == "" {
		t.Errorf("%d bytes of %q, %v", n, nameOf(pid), err)
	}
	const none = 1 << 30
	_, cerr := cpuOf(none)
	_, rerr := Resident(none)
	if cerr == nil || rerr == nil || nameOf(none) != "" {
		t.Errorf("a process that there is not: %v, %v", cerr, rerr)
	}
}
