// Package rabbittest runs RabbitMQ brokers of this module in memory, for the tests of what
// connects them: parameters in the engine, AMQP within the process and over TLS on
// loopback.
//
// Everything ends with the test. It knows nothing of shovels and links.
package rabbittest

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/tlsx"
)

// Patience is how long a test waits for what is to happen.
const Patience = 2 * time.Minute

// Log keeps what is logged, for many goroutines. The zero value is ready.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds a part.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String gives all so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The administrator of each broker.
const (
	User     = "admin"
	Password = "pass%word@/?#:" // every letter that a URI has to escape
	Escaped  = "pass%25word%40%2f%3f%23%3a"
)

// Components are those of a broker under test.
type Components = map[string]func(rabbitmq.Parameter) error

// Broker is a running broker.
type Broker struct {
	*rabbitmq.Broker
	t      testing.TB
	Server *amqp091.Server
	Ring   *keyring.Keyring
	Domain *keyring.Domain

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	shut  bool
}

var _ peer.Broker = (*Broker)(nil)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// source gives every domain the same secret.
type source struct{}

func (source) OpenDomain(context.Context, seal.DomainID) (seal.Secret, error) {
	return bytes.Repeat([]byte{9}, seal.KeySize), nil
}

// New starts a broker with the virtual host "/" and an administrator. name is that of
// its cluster.
func New(t testing.TB, name string, components Components) *Broker {
	t.Helper()
	b := &Broker{t: t, conns: map[net.Conn]struct{}{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	engine := open(t, b, components)
	hash, err := engine.Hasher().Hash(t.Context(), []byte(Password))
	must(t, err)
	id := uuid.New()
	must(t, engine.Create(t.Context(), id, []rabbitmq.User{
		{Name: User, Hash: hash, Tags: []string{"administrator"}},
	}))
	b.Domain = b.Ring.Add(seal.DomainID(id), "key", nil, source{})
	must(t, b.Ring.Open(t.Context(), b.Domain))
	b.Broker, err = engine.Open(t.Context(), id, b.Domain)
	must(t, err)
	b.Server, err = amqp091.New(amqp091.Config{
		Engine: Engine{b.Broker}, Logger: slog.New(slog.DiscardHandler), Cluster: name,
		RefusalDelay: time.Millisecond, CloseTimeout: time.Second,
	})
	must(t, err)
	t.Cleanup(func() {
		b.cancel()
		b.Cut()
		b.work.Wait()
	})
	return b
}

// open makes the engine of a broker, over a store in memory.
func open(t testing.TB, b *Broker, components Components) *rabbitmq.Engine {
	t.Helper()
	disk := memory.New(memory.Config{Shards: 3})
	var shards []store.Shard
	for _, id := range disk.Shards() {
		s, err := disk.Open(t.Context(), id)
		must(t, err)
		shards = append(shards, s)
	}
	db, err := control.Open(t.Context(), shards[0], bytes.Repeat([]byte{7}, seal.KeySize),
		control.Config{})
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	core, err := broker.Open(t.Context(), broker.Config{
		Shards: shards[1:2], Control: db, Logger: quiet, Lead: amqp091.Lead,
	})
	must(t, err)
	b.Ring = keyring.New(1, keyring.Config{})
	t.Cleanup(func() {
		b.Ring.Close()
		if err := core.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rabbitmq.New(core, db, rabbitmq.Config{
		Logger: quiet, Components: components, Dialect: dialect{},
	})
}

// Enter is [peer.Broker]'s.
func (b *Broker) Enter(_ context.Context, user string) (net.Conn, error) {
	near, far := net.Pipe()
	b.serve(far, func() {
		if user != "" {
			b.Server.ServeFor(b.ctx, far, user, Acting{Engine{b.Broker}})
			return
		}
		b.Server.ServeInside(b.ctx, far, Inside{Engine{b.Broker}})
	})
	return near, nil
}

// EnterAsClient is [peer.Broker]'s.
func (b *Broker) EnterAsClient(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	b.serve(far, func() { b.Server.Serve(b.ctx, far) })
	return near, nil
}

// serve runs a connection, unless the broker is shut.
func (b *Broker) serve(conn net.Conn, run func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut || b.ctx.Err() != nil {
		conn.Close()
		return
	}
	b.conns[conn] = struct{}{}
	b.work.Go(func() {
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.conns, conn)
		}()
		run()
	})
}

// Cut ends all connections without a goodbye.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.Close()
	}
}

// Shut lets nobody in any more, or again.
func (b *Broker) Shut(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut = yes
}

// Listen opens a TLS port on loopback. It gives its address and the file of the
// authority that signed its certificate.
func (b *Broker) Listen() (addr, ca string) {
	b.t.Helper()
	authority, err := tlsx.NewCA(time.Now())
	must(b.t, err)
	leaves, err := tlsx.NewLeaves(authority, tlsx.LeavesConfig{})
	must(b.t, err)
	ca = filepath.Join(b.t.TempDir(), "ca.pem")
	must(b.t, os.WriteFile(ca, authority.PEM(), 0o600))
	config := tlsx.Compatible.Server(leaves.Certificate)
	return b.listen(func(c net.Conn) net.Conn { return tls.Server(c, config) }), ca
}

// ListenPlain opens a port without TLS.
func (b *Broker) ListenPlain() (addr string) {
	return b.listen(func(c net.Conn) net.Conn { return c })
}

func (b *Broker) listen(wrap func(net.Conn) net.Conn) string {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b.t, err)
	b.t.Cleanup(func() { l.Close() })
	b.work.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			conn := wrap(raw)
			b.serve(conn, func() { b.Server.Serve(b.ctx, conn) })
		}
	})
	context.AfterFunc(b.ctx, func() { l.Close() })
	return l.Addr().String()
}

// Channel opens a channel of a client in a virtual host.
func (b *Broker) Channel(vhost string) *amqp.Channel {
	b.t.Helper()
	raw, err := b.Enter(b.t.Context(), "")
	must(b.t, err)
	conn, err := amqp.Open(raw, amqp.Config{
		Vhost: vhost, Locale: "en_US", FrameSize: 128 << 10,
		SASL: []amqp.Authentication{&amqp.ExternalAuth{}},
	})
	must(b.t, err)
	b.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	must(b.t, err)
	return ch
}

// Engine fits a broker to what the protocol asks of an engine, as node's does.
type Engine struct{ *rabbitmq.Broker }

var _ amqp091.Engine = Engine{}

// Permit is [amqp091.Engine]'s.
func (e Engine) Permit(
	user, vhost string, kind amqp091.Resource, name string, action amqp091.Action,
) error {
	return e.Broker.Permit(user, vhost, string(kind), name, string(action))
}

// Watch is [amqp091.Engine]'s.
func (e Engine) Watch(_ *broker.Namespace, fn func()) (stop func()) {
	return e.Broker.Watch(fn)
}

// dialect is what the engine knows of arguments, as node's does.
type dialect struct{ amqp091.Dialect }

var _ rabbitmq.Dialect = dialect{}

// Shape is [rabbitmq.Dialect]'s.
func (d dialect) Shape(arguments []byte) rabbitmq.Shape {
	var s rabbitmq.Shape
	s.Kind, s.Limits, s.Overflow, s.Deliveries = d.Dialect.Shape(arguments)
	return s
}

// Acting is the engine of connections that act for a user, as node's is.
type Acting struct{ Engine }

// Impersonates is [amqp091.Impersonator]'s.
func (e Acting) Impersonates(user string) bool {
	u, _ := e.User(user)
	return e.Engine.Impersonates(user) || slices.Contains(u.Tags, "administrator")
}

// Inside is the engine of the broker's own connections.
type Inside struct{ Engine }

// Open is [amqp091.Engine]'s.
func (e Inside) Open(_ context.Context, _, vhost string) (*broker.Namespace, error) {
	if n, ok := e.Namespace(vhost); ok {
		return n, nil
	}
	return nil, fault.New(fault.NotFound, "vhost %s not found", vhost)
}

// Permit is [amqp091.Engine]'s.
func (Inside) Permit(string, string, amqp091.Resource, string, amqp091.Action) error {
	return nil
}

// Impersonates is [amqp091.Impersonator]'s.
func (Inside) Impersonates(string) bool { return true }
