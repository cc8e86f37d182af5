package node

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/federation"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/shovel"
)

// links connect a broker with others: its shovels and federation links, and their ways
// into the broker itself.
type links struct {
	rabbit *rabbitmq.Broker
	server *amqp091.Server
	pipes  *visits
	count  atomic.Uint64

	shovels    *shovel.Set
	federation *federation.Set
}

var _ peer.Broker = (*links)(nil)

// components are the checks of parameters.
func (n *Node) components() map[string]func(rabbitmq.Parameter) error {
	dialer := peer.New(peer.Config{InsecureLoopback: n.cfg.InsecureLoopback})
	checks := federation.Components(dialer)
	checks[shovel.Component] = shovel.Validate(dialer)
	return checks
}

// openLinks starts what connects a broker that serves clients.
func (f *fleet) openLinks(rabbit *rabbitmq.Broker, server *amqp091.Server) *links {
	l := &links{rabbit: rabbit, server: server}
	l.pipes = newVisits(l.serve)
	dialer := peer.New(peer.Config{
		Broker: l, Roots: f.n.roots(), InsecureLoopback: f.n.cfg.InsecureLoopback,
		Version: f.n.cfg.Version,
	})
	cluster := "b-" + rabbit.ID().String()
	log := f.n.log.With("broker", cluster)
	l.shovels = shovel.Run(rabbit, dialer, shovel.Config{Logger: log, Cluster: cluster})
	l.federation = federation.Run(rabbit, dialer, federation.Config{
		Logger: log, Cluster: cluster, Arguments: plainTable,
	})
	return l
}

// roots are who signs the certificates of other brokers: what the system trusts, and
// whoever signed this process's own.
func (n *Node) roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		n.log.Warn("the system's certificates cannot be read", "error", err)
		pool = x509.NewCertPool()
	}
	if pem, err := os.ReadFile(filepath.Join(n.cfg.Data, fileCA)); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return pool
}

// close ends shovels and links, and then their ways in.
func (l *links) close(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(l.shovels.Close)
	both.Go(l.federation.Close)
	both.Wait()
	l.pipes.end(ctx)
}

// pipe is the broker's end of a connection from within.
type pipe struct {
	net.Conn
	name   string
	user   string // "": of nobody
	signIn bool
	plain  bool // the user may what clients may, and no more
}

// LocalAddr names the broker's end.
func (p *pipe) LocalAddr() net.Addr { return pipeAddr("broker") }

// RemoteAddr names the other end, which no other connection has.
func (p *pipe) RemoteAddr() net.Addr { return pipeAddr(p.name) }

type pipeAddr string

// Network is [net.Addr]'s.
func (pipeAddr) Network() string { return "pipe" }

// String is [net.Addr]'s.
func (a pipeAddr) String() string { return string(a) }

// Enter is [peer.Broker]'s.
func (l *links) Enter(ctx context.Context, user string) (net.Conn, error) {
	return l.open(ctx, &pipe{user: user})
}

// dial gives a connection of a user, like one of a client who has signed in.
func (l *links) dial(ctx context.Context, user string) (net.Conn, error) {
	return l.open(ctx, &pipe{user: user, plain: true})
}

// EnterAsClient is [peer.Broker]'s.
func (l *links) EnterAsClient(ctx context.Context) (net.Conn, error) {
	return l.open(ctx, &pipe{signIn: true})
}

func (l *links) open(_ context.Context, p *pipe) (net.Conn, error) {
	near, far := net.Pipe()
	p.Conn, p.name = far, fmt.Sprint("link:", l.count.Add(1))
	go func() { // visits waits for it, unless it is over
		defer far.Close()
		l.pipes.handle(context.Background(), p)
	}()
	return near, nil
}

// serve runs the broker's end.
func (l *links) serve(ctx context.Context, conn net.Conn) {
	switch p := conn.(*pipe); {
	case p.signIn:
		l.server.Serve(ctx, p)
	case p.plain:
		l.server.ServeAs(ctx, p, p.user)
	case p.user != "":
		l.server.ServeFor(ctx, p, p.user, actingEngine{amqpEngine{l.rabbit}})
	default:
		l.server.ServeInside(ctx, p, insideEngine{amqpEngine{l.rabbit}})
	}
}

// actingEngine is the engine of shovels and links that act for a user. They carry what
// others have written: for administrators, who could permit it to themselves, with the
// names of those in it.
type actingEngine struct{ amqpEngine }

// Impersonates is [amqp091.Impersonator]'s.
func (e actingEngine) Impersonates(user string) bool {
	u, _ := e.User(user)
	return e.amqpEngine.Impersonates(user) || slices.Contains(u.Tags, "administrator")
}

// insideEngine is the engine of the broker's own connections, which may do everything.
type insideEngine struct{ amqpEngine }

var (
	_ amqp091.Impersonator = actingEngine{}
	_ amqp091.Engine       = insideEngine{}
	_ amqp091.Impersonator = insideEngine{}
	_ amqp091.TopicKeeper  = insideEngine{}
)

// Open is [amqp091.Engine]'s.
func (e insideEngine) Open(_ context.Context, _, vhost string) (*broker.Namespace, error) {
	if n, ok := e.Namespace(vhost); ok {
		return n, nil
	}
	return nil, fault.New(fault.NotFound, "vhost %s not found", vhost)
}

// Permit is [amqp091.Engine]'s.
func (insideEngine) Permit(string, string, amqp091.Resource, string, amqp091.Action) error {
	return nil
}

// KeepsTopics is [amqp091.TopicKeeper]'s: no key is looked at.
func (insideEngine) KeepsTopics(string, string, string) bool { return false }

// Impersonates is [amqp091.Impersonator]'s.
func (insideEngine) Impersonates(string) bool { return true }
