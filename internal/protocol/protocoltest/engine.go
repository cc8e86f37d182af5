// Package protocoltest is what the tests of a protocol's door need below it: an engine
// with one user and one virtual host over a real broker in memory, whose key can be
// disabled and whose disk can be filled.
package protocoltest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// Engine is the smallest engine: user "u" with password "p", and the virtual
// host "/", over a broker in memory.
type Engine struct {
	Core      *broker.Core
	Namespace *broker.Namespace
	Domain    *Domain
	Denied    map[string]bool // "kind name action"
	Space     *Space
}

// Config tunes an Engine.
type Config struct {
	Disk       store.Engine // empty, and closed with the test; nil: one in memory
	MaxMessage int          // in octets
	Lead       func(broker.Content, *broker.History) broker.Guide
}

// New makes an engine that ends with the test.
func New(t testing.TB, cfg Config) *Engine {
	t.Helper()
	disk := cfg.Disk
	if disk == nil {
		disk = memory.New(memory.Config{Shards: 3})
	}
	ctx := t.Context()
	zero, err := disk.Open(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(ctx, zero, bytes.Repeat([]byte{7}, seal.KeySize), control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	one, err := disk.Open(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	space := &Space{}
	core, err := broker.Open(ctx, broker.Config{
		Shards: []store.Shard{one}, Control: db, Logger: Quiet(),
		MaxMessage: cfg.MaxMessage, Room: space.Room, Lead: cfg.Lead,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := core.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	id := broker.NamespaceID{1}
	if err := core.CreateNamespace(ctx, id); err != nil {
		t.Fatal(err)
	}
	d := newDomain(t)
	n, err := core.OpenNamespace(id, d)
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{
		Core: core, Namespace: n, Domain: d, Denied: map[string]bool{}, Space: space,
	}
}

// Quiet is a logger that nobody hears.
func Quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Authenticate lets "u" in with "p"; "busy" is to come again.
func (e *Engine) Authenticate(_ context.Context, user string, password []byte) error {
	switch {
	case user == "busy":
		return fault.New(fault.Exhausted, "too many logins")
	case user != "u" || string(password) != "p":
		return fault.New(fault.Unauthenticated, "wrong password")
	}
	return nil
}

// Open knows "/"; "secret" may not be entered.
func (e *Engine) Open(_ context.Context, _, vhost string) (*broker.Namespace, error) {
	switch vhost {
	case "/":
		return e.Namespace, nil
	case "secret":
		return nil, fault.New(fault.Denied, "not for you")
	}
	return nil, fault.New(fault.NotFound, "no such virtual host")
}

// Permit allows what is not in Denied.
func (e *Engine) Permit(_, _ string, kind, name, action string) error {
	if e.Denied[kind+" "+name+" "+action] {
		return fault.New(fault.Denied, "no")
	}
	return nil
}

// Watch calls fn after each change of the domain's lock.
func (e *Engine) Watch(_ *broker.Namespace, fn func()) func() {
	return e.Domain.watchers.add(fn)
}

// Queue declares a durable queue.
func (e *Engine) Queue(t testing.TB, name string) *broker.Queue {
	t.Helper()
	spec := broker.QueueSpec{Name: name, Durable: true}
	q, _, err := e.Namespace.DeclareQueue(t.Context(), nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Listen lets serve have what connects to the address. The connections are over when the
// test is, or stop was called.
func Listen(t testing.TB, serve func(context.Context, net.Conn)) (
	addr string, stop context.CancelFunc,
) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		tasks.Wait()
	})
	return l.Addr().String(), cancel
}
