package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServe answers over TLS on every loopback address, and tells what the
// handshake agreed on.
func TestServe(t *testing.T) {
	t.Parallel()
	k := newKit(t, "amqp")
	opened, closed := make(chan Connection, 2), make(chan Connection, 2)
	l := start(t, Config{TLS: k.server, Events: Events{
		Opened: func(c Connection) { opened <- c },
		Closed: func(c Connection, _ time.Duration) { closed <- c },
	}}, echo)
	k.client.NextProtos = []string{"amqp"}
	for _, a := range l.Addresses() {
		if int(a.Port()) != l.Port() || !a.Addr().IsLoopback() {
			t.Errorf("listens on %v", a)
		}
		conn, err := tls.Dial("tcp", a.String(), k.client)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, conn, "hello", "hello")
		c := wait(t, opened)
		if c.Remote.String() != conn.LocalAddr().String() {
			t.Errorf("remote %v, want %v", c.Remote, conn.LocalAddr())
		}
		want := Connection{"test", c.Remote, "TLS 1.3", "TLS_AES_128_GCM_SHA256",
			"X25519MLKEM768", "localhost", "amqp"}
		if c != want {
			t.Errorf("opened %+v", c)
		}
		conn.Close()
		if c := wait(t, closed); c != want {
			t.Errorf("closed %+v", c)
		}
	}
}

// TestRefused is TLS-01 and TLS-03 on a socket: clients with TLS 1.0, 1.1 or
// no TLS at all are refused, and the next one is served.
func TestRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	failed := make(chan error, 1)
	l := start(t, Config{TLS: k.server, Events: Events{
		HandshakeFailed: func(_ Connection, err error) { failed <- err },
	}}, echo)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		old := k.client.Clone()
		old.MinVersion, old.MaxVersion = version, version
		if _, err := dial(t, l, old); err == nil {
			t.Errorf("%s was accepted", tls.VersionName(version))
		}
		wait(t, failed)
	}
	plain := connect(t, l, nil)
	if answer, err := say(plain, "AMQP\x00\x00\x09\x01"); strings.Contains(answer, "AMQP") {
		t.Errorf("plaintext was answered: %q, %v", answer, err)
	}
	wait(t, failed)
	expect(t, connect(t, l, k.client), "hello", "hello")
}

// TestSilence ends a handshake that does not happen.
func TestSilence(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	failed := make(chan error, 1)
	l := start(t, Config{
		TLS: k.server, HandshakeTimeout: time.Millisecond,
		Events: Events{HandshakeFailed: func(_ Connection, err error) { failed <- err }},
	}, echo)
	silent := connect(t, l, nil)
	if err := wait(t, failed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("failed with %v", err)
	}
	if _, err := say(silent, ""); err == nil {
		t.Error("the connection is still open")
	}
}

// TestLimit closes a connection over the limit at once and takes the next one
// after another has left.
func TestLimit(t *testing.T) {
	t.Parallel()
	refused, closed := make(chan Connection, 1), make(chan Connection, 1)
	l := start(t, Config{MaxConnections: 1, Events: Events{
		Refused: func(c Connection) { refused <- c },
		Closed:  func(c Connection, _ time.Duration) { closed <- c },
	}}, echo)
	first := connect(t, l, nil)
	expect(t, first, "hello", "hello")
	second := connect(t, l, nil)
	wait(t, refused)
	if _, err := say(second, ""); err == nil {
		t.Error("the second connection is open")
	}
	expect(t, first, "still", "still")
	first.Close()
	wait(t, closed)
	expect(t, connect(t, l, nil), "third", "third")
}

// TestPanic closes the connection whose handler panics, and no other.
func TestPanic(t *testing.T) {
	t.Parallel()
	panicked := make(chan string, 1)
	l := start(t, Config{Events: Events{
		Panicked: func(_ Connection, value any, stack []byte) {
			panicked <- fmt.Sprintf("%v %s", value, stack)
		},
	}}, func(_ context.Context, conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); fmt.Fprintln(conn, lines.Text()) {
			if lines.Text() == "panic" {
				panic("broken")
			}
		}
	})
	good, bad := connect(t, l, nil), connect(t, l, nil)
	if _, err := say(bad, "panic"); err == nil {
		t.Error("the connection of the panic is open")
	}
	if text := wait(t, panicked); !strings.Contains(text, "broken") ||
		!strings.Contains(text, "listener_test.go") {
		t.Errorf("told %q", text)
	}
	expect(t, good, "hello", "hello")
	good.Close()
}

// failing is a socket whose first accepts fail.
type failing struct {
	net.Listener
	failures int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, syscall.EMFILE
	}
	return f.Listener.Accept()
}

// TestAcceptFails goes on after the system had no descriptor.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 3)
	l, err := Open(Config{Events: Events{
		AcceptFailed: func(_ string, err error) { failed <- err },
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.sockets[0] = &failing{l.sockets[0], 3}
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.Serve(echo)
	}()
	for range 3 {
		if err := wait(t, failed); !errors.Is(err, syscall.EMFILE) {
			t.Error(err)
		}
	}
	conn := connect(t, l, nil)
	expect(t, conn, "hello", "hello")
	conn.Close()
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}
