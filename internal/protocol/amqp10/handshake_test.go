package amqp10

import (
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/protocol/amqp10/wire"
)

// What the server says of itself, and that silence is broken on both sides.
func TestOpen(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{Product: "P", Cluster: "here"}))
	p.login()
	p.send(0, &wire.Open{
		ContainerID: []byte("c"), MaxFrameSize: 1 << 20, IdleTimeOut: wire.Some(uint32(100)),
	})
	var m wire.Open
	p.await(wire.CodeOpen, &m)
	product, _ := m.Properties.Find("product").Text()
	if string(product) != "P" || string(m.ContainerID) != "here" ||
		m.ChannelMax != defaultChannelMax ||
		m.MaxFrameSize != defaultFrameMax || m.IdleTimeOut.Value != 30000 {
		t.Errorf("open %+v", m)
	}
	for { // an empty frame shows that the server lives
		f, ok, err := p.in.next(defaultFrameMax)
		if err != nil {
			t.Fatal(err)
		}
		if ok && len(f.Body) == 0 {
			break
		}
		if !ok {
			if _, err := p.in.Fill(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A client that says nothing for too long is told so.
func TestIdleClient(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{IdleTimeout: time.Second}))
	p.open()
	got := p.outcome()
	if !strings.HasPrefix(got, "close "+wire.AmqpErrorResourceLimitExceeded) {
		t.Errorf("got %s", got)
	}
	p.send(0, &wire.Close{})
	if got := p.outcome(); got != "eof" {
		t.Errorf("got %s", got)
	}
}

// A server that stops closes its connections in order.
func TestStop(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	p := openPeer(t, s)
	s.stop()
	if got := p.outcome(); !strings.HasPrefix(got, "close amqp:connection:forced") {
		t.Errorf("got %s", got)
	}
	p.send(0, &wire.Close{})
	if got := p.outcome(); got != "eof" {
		t.Errorf("got %s", got)
	}
}

// Each event is told once, and a refused login is one.
func TestEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var list []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, s)
	}
	closed := make(chan bool, 1)
	e := newEngine(t)
	s := serveTest(t, e, Config{Events: Events{
		Refused: func(c Client, _ error) { note("refused " + c.User) },
		Opened:  func(c Client) { note("opened " + c.Name) },
		Failed: func(_ Client, at Scope, condition, _ string) {
			note(at.String() + " " + condition)
		},
		Closed: func(_ Client, err error) {
			if err != nil {
				note(err.Error())
			}
			closed <- true
		},
	}})
	p := dialPeer(t, s)
	p.write([]byte(wire.HeaderSASL))
	p.header()
	p.await(wire.CodeSASLMechanisms, &wire.SASLMechanisms{})
	p.write(frameOf(wire.FrameSASL, 0, plainInit("x", "p"), ""))
	var o wire.SASLOutcome
	if p.await(wire.CodeSASLOutcome, &o); o.Code != wire.SASLCodeAuth {
		t.Errorf("outcome %d", o.Code)
	}
	if got := p.outcome(); got != "eof" {
		t.Error(got)
	}
	p = openPeer(t, s)
	p.send(0, receiver(0, "/queues/none"))
	p.outcome()
	p.send(0, &wire.Close{})
	<-closed
	mu.Lock()
	defer mu.Unlock()
	want := "refused x, opened c, link amqp:not-found"
	if got := strings.Join(list, ", "); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}
