package amqp091

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/protocoltest"
)

// policedEngine has the policy that the longest queue is of five messages, and that x
// goes on to y. Its queues are of another type by default.
type policedEngine struct {
	testEngine
	kind string
}

func (e policedEngine) DefaultQueueType(string) string { return e.kind }

func (e policedEngine) Limit(_, _ string, arguments []byte) broker.Limits {
	_, l, _, _ := Dialect{}.Shape(arguments)
	if !l.MaxLength.Set || l.MaxLength.N > 5 {
		l.MaxLength = broker.AtMost(5)
	}
	return l
}

func (e policedEngine) Alternate(_, exchange string) string {
	return map[string]string{"x": "y"}[exchange]
}

// Conform shows that it was called by a bound that Limit does not set.
func (e policedEngine) Conform(ctx context.Context, _ string, q *broker.Queue) error {
	l := q.Limits()
	l.MaxBytes = broker.AtMost(99)
	return e.Namespace.SetLimits(ctx, q, l)
}

func (e policedEngine) ConformExchange(ctx context.Context, _, name string) error {
	if name != "late" {
		return nil
	}
	return e.Namespace.SetAlternate(ctx, name, "z")
}

// connectInside connects a client to a server that serves it by an engine of its own.
func connectInside(t *testing.T, s *Server, e Engine) *client {
	t.Helper()
	near, far := net.Pipe()
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	serving.Go(func() { s.ServeInside(context.WithoutCancel(t.Context()), far, e) })
	conn, err := amqp.Open(near, amqp.Config{
		Vhost: "/", Locale: "en_US", FrameSize: 131072,
		SASL: []amqp.Authentication{&amqp.ExternalAuth{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn}
	c.renew()
	return c
}

// renew opens another channel.
func (c *client) renew() {
	c.t.Helper()
	ch, err := c.conn.Channel()
	c.must(err)
	c.Channel = ch
}

// TestPoliced: what is declared has the limits, the type and the alternate that the
// engine says.
func TestPoliced(t *testing.T) {
	t.Parallel()
	e := policedEngine{newEngine(t), quorumName}
	s, err := New(Config{Engine: e, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	c := connectInside(t, s, e)
	quorumDefault := func(name string, durable, autoDelete, exclusive bool) bool {
		t.Helper()
		for range 2 { // declared, and declared again alike
			_, err := c.QueueDeclare(name, durable, autoDelete, exclusive, false, nil)
			c.must(err)
		}
		q, _ := e.Namespace.Topology().Queue(name)
		if l := q.Limits(); l.MaxLength.N != 5 || l.MaxBytes.N != 99 {
			t.Errorf("%s: %+v", name, l)
		}
		return isQuorum(q)
	}
	if !quorumDefault("a", true, false, false) || quorumDefault("b", false, false, false) ||
		quorumDefault("c", true, true, false) || quorumDefault("d", true, false, true) {
		t.Error("the default type is given to queues that cannot have it, or not given")
	}
	_, err = c.QueueDeclare("e", true, false, false, false, amqp.Table{
		"x-queue-type": "classic", "x-max-length": int32(3),
	})
	c.must(err)
	if q, _ := e.Namespace.Topology().Queue("e"); isQuorum(q) || q.Limits().MaxLength.N != 3 {
		t.Errorf("a queue that says its type: %+v", q.Limits())
	}
	for name, args := range map[string]amqp.Table{
		"x": nil, "late": nil, "own": {"alternate-exchange": "w"},
	} {
		c.must(c.ExchangeDeclare(name, "fanout", true, false, false, false, args))
	}
	for name, want := range map[string]string{"x": "y", "late": "z", "own": "w"} {
		if a, _ := e.Namespace.Topology().Address(name); a.Alternate != want {
			t.Errorf("%s goes on to %q, want %q", name, a.Alternate, want)
		}
	}
	_, err = c.QueueDeclare("", true, false, false, false, nil)
	if x, ok := errors.AsType[*amqp.Error](err); !ok || x.Code != amqp.PreconditionFailed {
		t.Errorf("a server-named quorum queue: %v", err)
	}
}

// TestDialect tells what kept arguments mean.
func TestDialect(t *testing.T) {
	t.Parallel()
	keep := func(fields ...wire.Field) []byte {
		b, err := encodeTable(fields)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var d Dialect
	if m, err := d.Arguments(nil); err != nil || len(m) != 0 || d.Alternate(nil) != "" {
		t.Errorf("nothing: %v %v", m, err)
	}
	kept := keep(
		wire.Field{Name: argType, Value: wire.StringValue(quorumName)},
		wire.Field{Name: argMaxLength, Value: wire.Int32Value(4)},
		wire.Field{Name: argDeliveryLimit, Value: wire.Int32Value(3)},
	)
	kind, l, overflow, deliveries := d.Shape(kept)
	if kind != quorumName || l.MaxLength.N != 4 || overflow || !deliveries ||
		l.Deliveries.N != 3 {
		t.Errorf("%s %+v %v %v", kind, l, overflow, deliveries)
	}
	if m, err := d.Arguments(kept); err != nil || m[argMaxLength] != int64(4) {
		t.Errorf("%v %v", m, err)
	}
	kept = keep(wire.Field{Name: argOverflow, Value: wire.StringValue("drop-head")})
	if kind, _, overflow, _ = d.Shape(kept); kind != classicName || !overflow {
		t.Errorf("%s %v", kind, overflow)
	}
	kept = keep(wire.Field{Name: argAlternate, Value: wire.StringValue("other")})
	if d.Alternate(kept) != "other" {
		t.Error("no alternate")
	}
	if _, err := d.Arguments([]byte{0, 0, 0, 1, 9}); err == nil {
		t.Error("damaged arguments were read")
	}
}

// renamedEngine's cluster was given a name.
type renamedEngine struct {
	testEngine
	name string
}

func (e renamedEngine) ClusterName() string { return e.name }

// TestClusterName: clients are told the name that the cluster has when they connect.
func TestClusterName(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s, err := New(Config{Engine: e, Logger: protocoltest.Quiet(), Cluster: "first"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "second", ""} {
		c := connectInside(t, s, renamedEngine{e, name})
		want := "first"
		if name != "" {
			want = name
		}
		if got := c.conn.Properties["cluster_name"]; got != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}
