package amqp091

import (
	"errors"
	"net"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/protocoltest"
)

// keeperEngine lets one connection and one channel in.
type keeperEngine struct {
	testEngine
	mu          *sync.Mutex
	in, open    *int
	end         *func(string)
	left, ended chan struct{}
}

func newKeeper(t *testing.T) keeperEngine {
	return keeperEngine{newEngine(t), new(sync.Mutex), new(int), new(int), new(func(string)),
		make(chan struct{}, 8), make(chan struct{}, 8)}
}

func (e keeperEngine) admit(n *int, left chan struct{}, text string) (func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if *n > 0 {
		return nil, fault.New(fault.Exhausted, "%s", text)
	}
	*n++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		*n--
		left <- struct{}{}
	}, nil
}

func (e keeperEngine) Admit(_, vhost string, end func(string)) (func(), error) {
	*e.end = end
	return e.admit(e.in, e.left, "enough connections in "+vhost)
}

func (e keeperEngine) AdmitChannel(string) (func(), error) {
	return e.admit(e.open, e.ended, "enough channels")
}

func (e keeperEngine) serve(t *testing.T) func() (*amqp.Connection, error) {
	s, err := New(Config{Engine: e, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	return func() (*amqp.Connection, error) {
		near, far := net.Pipe()
		serving.Go(func() { s.ServeAs(t.Context(), far, "u") })
		c, err := amqp.Open(near, amqp.Config{Vhost: "/", Locale: "en_US", FrameSize: 131072,
			SASL: []amqp.Authentication{&amqp.ExternalAuth{}}})
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	}
}

func notAllowed(t *testing.T, err error, text string) {
	t.Helper()
	if x, ok := errors.AsType[*amqp.Error](err); !ok || x.Code != amqp.NotAllowed ||
		x.Reason != "NOT_ALLOWED - "+text {
		t.Errorf("%v, want %q", err, text)
	}
}

// TestAdmitted: who is let in is counted, and who leaves, too.
func TestAdmitted(t *testing.T) {
	t.Parallel()
	e := newKeeper(t)
	dial := e.serve(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dial()
	notAllowed(t, err, "enough connections in /")
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	receive(t, e.ended)
	if _, err = c.Channel(); err != nil {
		t.Fatal(err)
	}
	_, err = c.Channel()
	notAllowed(t, err, "enough channels")
	receive(t, e.ended)
	receive(t, e.left)
	if c, err = dial(); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Channel(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	receive(t, e.ended)
	receive(t, e.left)
	e.mu.Lock()
	defer e.mu.Unlock()
	if *e.in != 0 || *e.open != 0 {
		t.Errorf("%d connections, %d channels", *e.in, *e.open)
	}
}

// TestEvicted: a connection that must go is told why, also when its virtual host has
// gone under it.
func TestEvicted(t *testing.T) {
	t.Parallel()
	e := newKeeper(t)
	c, err := e.serve(t)()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	list, err := ch.Consume("q", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := c.NotifyClose(make(chan *amqp.Error, 1))
	if err := e.Core.DeleteNamespace(t.Context(), broker.NamespaceID{1}); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	(*e.end)("vhost '/' is deleted")
	e.mu.Unlock()
	x := receive(t, gone)
	if x.Code != amqp.ConnectionForced || x.Reason != "CONNECTION_FORCED - vhost '/' is deleted" {
		t.Error(x)
	}
	for range list {
		t.Error("a delivery")
	}
	receive(t, e.left)
}
