package listen

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// TestClose lets handlers say goodbye, and then nobody can connect.
func TestClose(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	l := start(t, Config{TLS: k.server}, echo)
	conn := connect(t, l, k.client)
	expect(t, conn, "hello", "hello")
	closed := make(chan error, 1)
	go func() { closed <- l.Close(context.Background()) }()
	expect(t, conn, "", "goodbye")
	if err := wait(t, closed); err != nil {
		t.Error(err)
	}
	if _, err := dial(t, l, nil); err == nil {
		t.Error("connected after Close")
	}
	if err := l.Close(context.Background()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestCut cuts handlers that ignore the end of their context.
func TestCut(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	l := start(t, Config{}, func(_ context.Context, conn net.Conn) {
		close(started)
		conn.Read(make([]byte, 1)) // until cut
	})
	conn := connect(t, l, nil)
	wait(t, started)
	ctx, cancel := context.WithCancelCause(context.Background())
	late := errors.New("late")
	cancel(late)
	if err := l.Close(ctx); !errors.Is(err, late) {
		t.Errorf("Close: %v", err)
	}
	if _, err := say(conn, ""); err == nil {
		t.Error("the connection is open after Close")
	}
}

// TestCloseInHandshake does not wait for clients that say nothing.
func TestCloseInHandshake(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	l := start(t, Config{TLS: k.server, HandshakeTimeout: time.Hour}, echo)
	silent := connect(t, l, nil)
	probe := connect(t, l, k.client) // accepted after the silent one
	expect(t, probe, "hello", "hello")
	probe.Close()
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := say(silent, ""); err == nil {
		t.Error("the silent connection is open after Close")
	}
}

// TestUnserved closes a listener that nobody served, before and after.
func TestUnserved(t *testing.T) {
	t.Parallel()
	l, err := Open(Config{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	l.Serve(func(context.Context, net.Conn) { t.Error("a connection") })
	if _, err := dial(t, l, nil); err == nil {
		t.Error("connected after Close")
	}
}
