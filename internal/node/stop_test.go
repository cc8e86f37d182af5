package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091/wire"
)

// TestStopTellsAll: a client of one door that does not say goodbye keeps those of no
// other door from hearing of the stop.
func TestStopTellsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.drain = time.Hour })
	leave := w.stubborn()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, port := w.create("other")
	u := url.URL{Scheme: "amqps", User: url.UserPassword("admin", "A-long-password-1"),
		Host: fmt.Sprintf("localhost:%d", port), Path: "/"}
	c, err := amqpclient.Dial(ctx, amqpclient.Config{
		URL: u.String(), CA: filepath.Join(w.cfg.Data, fileCA)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop()
	}()
	if _, err = c.Next(); amqpclient.Code(err) != wire.ConnectionForced {
		t.Errorf("a client of another door gets %v", err)
	}
	c.Close()
	select {
	case <-stopped:
		t.Error("the stop did not wait")
	default:
	}
	leave()
	<-stopped
}

// stubborn opens a door as a start does, and a connection to it that does not end before
// leave is called.
func (w *world) stubborn() (leave func()) {
	w.t.Helper()
	l, err := w.n.bind(listen.Config{Name: "stubborn", TLS: w.n.amqpTLS()})
	if err != nil {
		w.t.Fatal(err)
	}
	entered, left := make(chan struct{}), make(chan struct{})
	w.n.serve(l, func(context.Context, net.Conn) {
		close(entered)
		<-left
	})
	w.n.listeners = append(w.n.listeners, l)
	w.n.stops = slices.Insert(w.n.stops, len(w.n.stops)-1,
		func(ctx context.Context) error { return w.n.closeListener(ctx, l) })
	conn, err := tls.Dial("tcp", fmt.Sprintf("localhost:%d", l.Port()),
		&tls.Config{RootCAs: w.roots()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	<-entered
	return func() { close(left) }
}
