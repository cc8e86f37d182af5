package amqp091

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const testKey = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// testEngine is the smallest engine: user "u" with password "p", and the virtual
// host "/", over a broker in memory.
type testEngine struct {
	core      *broker.Core
	namespace *broker.Namespace
	domain    *testDomain
	denied    map[string]bool // "kind name action"
	space     *testSpace
}

func newEngine(t testing.TB) *testEngine {
	t.Helper()
	return newEngineOn(t, memory.New(memory.Config{Shards: 3}))
}

// newEngineOn makes an engine on an empty store, which it closes.
func newEngineOn(t testing.TB, disk store.Engine) *testEngine {
	t.Helper()
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
	space := &testSpace{}
	core, err := broker.Open(ctx, broker.Config{
		Shards: []store.Shard{one}, Control: db, Logger: quiet(),
		MaxMessage: defaultMaxMessage + 64<<10, Room: space.Room, Lead: Lead,
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
	return &testEngine{
		core: core, namespace: n, domain: d, denied: map[string]bool{}, space: space,
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (e *testEngine) Authenticate(_ context.Context, user string, password []byte) error {
	switch {
	case user == "busy":
		return fault.New(fault.Exhausted, "too many logins")
	case user != "u" || string(password) != "p":
		return fault.New(fault.Unauthenticated, "wrong password")
	}
	return nil
}

func (e *testEngine) Open(_ context.Context, _, vhost string) (*broker.Namespace, error) {
	switch vhost {
	case "/":
		return e.namespace, nil
	case "secret":
		return nil, fault.New(fault.Denied, "not for you")
	}
	return nil, fault.New(fault.NotFound, "no such virtual host")
}

func (e *testEngine) Permit(_, _ string, kind Resource, name string, action Action) error {
	if e.denied[string(kind)+" "+name+" "+string(action)] {
		return fault.New(fault.Denied, "no")
	}
	return nil
}

func (e *testEngine) Watch(_ *broker.Namespace, fn func()) func() {
	return e.domain.watchers.add(fn)
}

// testDomain seals for real and can be locked.
type testDomain struct {
	epochs   *seal.Epochs
	watchers watchers

	mu  sync.RWMutex
	why error
	fns []func()

	opened atomic.Int64           // calls of Open
	fail   func(call int64) error // an error for that call of Open; may be nil
}

func newDomain(t testing.TB) *testDomain {
	t.Helper()
	e, err := seal.NewEpochs(bytes.Repeat([]byte{9}, seal.KeySize), "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	return &testDomain{epochs: e}
}

func (d *testDomain) Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.why != nil {
		return dst, d.why
	}
	return d.epochs.SealRecord(dst, h, seal.DomainID{1}, plaintext)
}

func (d *testDomain) Open(dst, rec []byte) ([]byte, error) {
	if n := d.opened.Add(1); d.fail != nil {
		if err := d.fail(n); err != nil {
			return dst, err
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.why != nil {
		return dst, d.why
	}
	return d.epochs.OpenRecord(dst, rec, seal.DomainID{1})
}

func (d *testDomain) Locked() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.why
}

func (d *testDomain) Watch(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fns = append(d.fns, fn)
}

// set locks the domain for a reason, or opens it with nil.
func (d *testDomain) set(why error) {
	d.mu.Lock()
	d.why = why
	fns := d.fns
	d.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
	d.watchers.call()
}

// lock disables the key.
func (d *testDomain) lock() {
	d.set(fault.New(fault.KeyUnavailable, "%s is disabled.", testKey))
}

// watchers is a set of functions.
type watchers struct {
	mu  sync.Mutex
	fns map[*func()]bool
}

func (w *watchers) add(fn func()) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[*func()]bool{}
	}
	w.fns[&fn] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, &fn)
	}
}

func (w *watchers) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for fn := range w.fns {
		(*fn)()
	}
}

// service is a Server behind a loopback port.
type service struct {
	*testEngine
	server *Server
	addr   string
	stop   context.CancelFunc
}

// serveTest starts a server. Its connections are over when the test is.
func serveTest(t testing.TB, e *testEngine, cfg Config) *service {
	t.Helper()
	cfg.Engine, cfg.Logger, cfg.Space = e, quiet(), e.space
	if cfg.RefusalDelay == 0 {
		cfg.RefusalDelay = time.Millisecond
	}
	if cfg.HandshakeTimeout == 0 {
		cfg.HandshakeTimeout = time.Minute // of a loaded machine
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
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
			tasks.Go(func() { s.Serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		tasks.Wait()
	})
	return &service{testEngine: e, server: s, addr: l.Addr().String(), stop: cancel}
}
