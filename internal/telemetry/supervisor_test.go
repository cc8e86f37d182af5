package telemetry

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestSupervisor: what is told comes as sd_notify(3) has it, on sockets with a path and
// without one; nobody is told nothing, and who is gone is an error.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	for _, name := range []string{path, "@coffer" + path} {
		addr := &net.UnixAddr{Name: name, Net: "unixgram"}
		conn, err := net.ListenUnixgram(addr.Net, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		s := Supervisor{name}
		for want, tell := range map[string]func() error{
			"READY=1\nSTATUS=serving\n":     func() error { return s.Ready("serving") },
			"STOPPING=1\nSTATUS=stopping\n": s.Stopping,
		} {
			if err := tell(); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 4096)
			n, err := conn.Read(got)
			if err != nil || string(got[:n]) != want {
				t.Errorf("%s: %q, %v, want %q", name, got[:n], err, want)
			}
		}
		conn.Close()
		if s.Ready("") == nil {
			t.Errorf("%s: nobody was told", name)
		}
	}
	if err := (Supervisor{}).Ready(""); err != nil {
		t.Error(err)
	}
}
