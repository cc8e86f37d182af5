// Package amqpclient_test tries the lean client against a whole Coffer.
package amqpclient_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"coffer/internal/amqpclient"
	"coffer/internal/node"
	"coffer/internal/protocol/amqp091/wire"
)

// serve runs a node until the end of the test.
func serve(t *testing.T) amqpclient.Config {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	n, err := node.Start(t.Context(), node.Config{
		Data: data, AutoPorts: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	list, err := node.Env(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, v := range list {
		env[v.Name] = v.Value
	}
	return amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
}

func dial(ctx context.Context, t *testing.T, cfg amqpclient.Config) *amqpclient.Conn {
	t.Helper()
	c, err := amqpclient.Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Open(1); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRoundTrip moves bodies of no, one and several frames, and of more than
// the read buffer.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c := dial(t.Context(), t, serve(t))
	for _, m := range []wire.Method{&wire.ConfirmSelect{}, &wire.QueueDeclare{Queue: "q"}} {
		if _, err := c.Call(1, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{0, 1, 4096, wire.DefaultFrameMax, 600 << 10} {
		body := bytes.Repeat([]byte{byte(size >> 8), 7}, size/2+1)[:size]
		if err := c.Publish(1, "", "q", true, body); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		e, err := c.Next()
		if _, ok := e.Method.(*wire.BasicAck); err != nil || !ok {
			t.Fatalf("%d octets: got %T, %v, want the confirm", size, e.Method, err)
		}
		if err := c.Append(1, &wire.BasicGet{Queue: "q", NoAck: true}); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if e, err = c.Next(); err != nil {
			t.Fatal(err)
		}
		if _, ok := e.Method.(*wire.BasicGetOk); !ok || !bytes.Equal(e.Body, body) {
			t.Fatalf("%d octets: got %T with %d octets", size, e.Method, len(e.Body))
		}
	}
	if err := c.Goodbye(); err != nil {
		t.Fatal(err)
	}
}

// TestClosed shows the broker's reason, and the end of the context.
func TestClosed(t *testing.T) {
	t.Parallel()
	cfg := serve(t)
	c := dial(t.Context(), t, cfg)
	_, err := c.Call(1, &wire.QueueDeclare{Queue: "none", Passive: true})
	if amqpclient.Code(err) != wire.NotFound {
		t.Errorf("got %v, want a channel closed with 404", err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	c = dial(ctx, t, cfg)
	cancel(why)
	if _, err := c.Next(); !errors.Is(err, why) {
		t.Errorf("got %v, want the cause of the context", err)
	}
}
