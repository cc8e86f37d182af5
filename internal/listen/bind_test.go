package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/listen/listentest"
)

// TestPlaintext allows plaintext on loopback addresses only.
func TestPlaintext(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for address, good := range map[string]bool{
		"": true, "localhost": true, "127.0.0.1": true, "::1": true, "127.0.0.2": true,
		"::ffff:127.0.0.1": true,
		"0.0.0.0":          false, "::": false, "192.0.2.1": false, "::ffff:192.0.2.1": false,
	} {
		cfg := Config{Name: "amqp", Address: address}
		_, err := resolve(&cfg)
		if (err == nil) != good || !good && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s without TLS: %v", address, err)
		}
		cfg.TLS = k.server
		if _, err := resolve(&cfg); err != nil {
			t.Errorf("%s with TLS: %v", address, err)
		}
	}
	for _, cfg := range []Config{{Address: "example.org"}, {Port: -1}, {Port: 65536}} {
		if _, err := Open(cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestInUse names the address and the flag that changes the port.
func TestInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Open(Config{Name: "amqp", Port: port, Flag: "--amqp-port"})
	if fault.KindOf(err) != fault.Conflict {
		t.Fatalf("opened twice: %v", err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	for _, want := range []string{at, "amqp", "--amqp-port", "in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestInUseOnOne refuses a port that is free on the first address only, leaves
// nothing bound, and looks for another where the system chooses.
func TestInUseOnOne(t *testing.T) {
	t.Parallel()
	port := listentest.Ports(t, 1) // and not the system's choice: it may be taken on 127.0.0.1
	six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
	if err != nil {
		t.Skip("no IPv6 here")
	}
	defer six.Close()
	_, err = Open(Config{Name: "amqp", Port: port})
	if fault.KindOf(err) != fault.Conflict {
		t.Fatalf("opened: %v", err)
	}
	four, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("still bound: %v", err)
	}
	four.Close()
}

// TestLackingFamily goes on without an address that the machine does not have,
// unless it is the only one.
func TestLackingFamily(t *testing.T) {
	t.Parallel()
	four, foreign := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::1")
	sockets, err := bind(&Config{}, []netip.Addr{four, foreign})
	if err != nil || len(sockets) != 1 {
		t.Fatalf("%v, %v", sockets, err)
	}
	sockets[0].Close()
	for _, list := range [][]netip.Addr{{foreign}, {foreign, foreign}} {
		if _, err := bind(&Config{}, list); err == nil {
			t.Errorf("bound %v", list)
		}
	}
}
