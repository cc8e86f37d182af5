package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"coffer/internal/tlsx"
)

// kit is an authority with its client and server configuration.
type kit struct{ client, server *tls.Config }

func newKit(t *testing.T, alpn ...string) kit {
	t.Helper()
	ca, err := tlsx.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return kit{
		client: &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"},
		server: tlsx.Compatible.Server(leaves.Certificate, alpn...),
	}
}

// start serves until the end of the test, which requires a clean end.
func start(t *testing.T, cfg Config, handle Handler) *Listener {
	t.Helper()
	cfg.Name = "test"
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.Serve(handle)
	}()
	t.Cleanup(func() {
		l.Close(t.Context()) // ended by now: cuts what a failed test left
		<-served
		if len(l.open) != 0 {
			t.Errorf("%d connections are left open", len(l.open))
		}
	})
	return l
}

// dial opens a connection that ends with the test; TLS unless config is nil.
func dial(t *testing.T, l *Listener, config *tls.Config) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addresses()[0].String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if config == nil {
		return conn, nil
	}
	c := tls.Client(conn, config)
	return c, c.HandshakeContext(ctx)
}

// connect is dial where it must succeed.
func connect(t *testing.T, l *Listener, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := dial(t, l, config)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// echo answers lines until the client leaves or the listener closes, and says
// goodbye then.
func echo(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	defer stop()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		fmt.Fprintln(conn, lines.Text())
	}
	if ctx.Err() != nil {
		fmt.Fprintln(conn, "goodbye")
	}
}

// say sends a line and reads one.
func say(conn net.Conn, line string) (string, error) {
	if line != "" {
		if _, err := fmt.Fprintln(conn, line); err != nil {
			return "", err
		}
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return answer, err
}

// expect fails the test unless say gives want.
func expect(t *testing.T, conn net.Conn, line, want string) {
	t.Helper()
	if got, err := say(conn, line); got != want+"\n" {
		t.Errorf("%q answered %q: %v", line, got, err)
	}
}

// wait takes an event or fails the test.
func wait[E any](t *testing.T, events <-chan E) E {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(2 * time.Minute):
		t.Fatal("no event")
		panic("unreachable")
	}
}
