package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/rabbitmq/rabbittest"
)

// target is a broker that answers publishes as it is told.
type target struct {
	t      *testing.T
	conn   net.Conn
	answer func(t *target, n int, body string) // to the n-th publish

	mu     sync.Mutex
	bodies []string
}

// dialTarget gives a channel to one.
func dialTarget(t *testing.T, answer func(*target, int, string)) (*target, *amqp.Channel) {
	t.Helper()
	near, far := net.Pipe()
	x := &target{t: t, conn: far, answer: answer}
	var work sync.WaitGroup
	work.Go(x.serve)
	t.Cleanup(func() {
		near.Close()
		far.Close()
		work.Wait()
	})
	conn, err := amqp.Open(near, amqp.Config{
		Vhost: "/", Locale: "en_US", FrameSize: wire.DefaultFrameMax,
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return x, ch
}

func (x *target) send(channel uint16, m wire.Method) {
	b, err := wire.AppendMethod(nil, channel, m)
	if err == nil {
		_, err = x.conn.Write(b)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) && channel == 0 {
		x.t.Error(err)
	}
}

// serve answers until the connection is closed.
func (x *target) serve() {
	buf, n := make([]byte, 0, 1<<20), 0
	chunk := make([]byte, 64<<10)
	greeted := false
	for {
		size, err := x.conn.Read(chunk)
		if err != nil {
			return
		}
		buf = append(buf, chunk[:size]...)
		if !greeted && len(buf) >= wire.HeaderSize {
			buf, greeted = buf[wire.HeaderSize:], true
			x.send(0, &wire.ConnectionStart{VersionMinor: 9, Mechanisms: "PLAIN", Locales: "en_US"})
		}
		for greeted {
			f, size, err := wire.ParseFrame(buf, wire.DefaultFrameMax)
			if err != nil || size == 0 || size > len(buf) {
				break
			}
			if f.Type == wire.FrameBody {
				n++
				x.mu.Lock()
				x.bodies = append(x.bodies, string(f.Payload))
				x.mu.Unlock()
				x.answer(x, n, string(f.Payload))
			} else if f.Type == wire.FrameMethod {
				x.method(f)
			}
			buf = buf[size:]
		}
	}
}

func (x *target) method(f wire.Frame) {
	m, err := wire.ParseMethod(f.Payload)
	if err != nil {
		x.t.Error(err)
	}
	switch m.(type) {
	case *wire.ConnectionStartOk:
		x.send(0, &wire.ConnectionTune{ChannelMax: 10, FrameMax: wire.DefaultFrameMax})
	case *wire.ConnectionOpen:
		x.send(0, &wire.ConnectionOpenOk{})
	case *wire.ChannelOpen:
		x.send(f.Channel, &wire.ChannelOpenOk{})
	case *wire.ConfirmSelect:
		x.send(f.Channel, &wire.ConfirmSelectOk{})
	}
}

// seen gives the bodies that were published.
func (x *target) seen() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.bodies)
}

// filled gives a channel to a queue "q" with n messages of bodies 1, 2, …
func filled(t *testing.T, n int) (*rabbittest.Broker, *amqp.Channel) {
	t.Helper()
	b := rabbittest.New(t, "source", nil)
	ch := b.Channel("/")
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		err := ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: fmt.Append(nil, i+1),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b, ch
}

func same(d *amqp.Delivery) (Message, bool) {
	return Message{Key: "far", Publishing: amqp.Publishing{Body: d.Body}}, true
}

// TestLaterAckOfSeveral: a message that was refused is not taken for confirmed when a
// later confirmation is for all up to its own, as a broker may send it.
func TestLaterAckOfSeveral(t *testing.T) {
	t.Parallel()
	x, far := dialTarget(t, func(x *target, n int, _ string) {
		switch n {
		case 5:
			x.send(1, &wire.BasicNack{DeliveryTag: 3})
			x.send(1, &wire.BasicAck{DeliveryTag: 5, Multiple: true})
		case 6:
			x.send(1, &wire.BasicAck{DeliveryTag: 6})
		}
	})
	_, source := filled(t, 5)
	var c Counters
	err := Run(t.Context(), Config{
		Source: source, Target: far, Queue: "q", Prefetch: 10, Count: 5, Make: same,
		Pause: time.Millisecond,
	}, &c)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.seen(); !slices.Equal(got, []string{"1", "2", "3", "4", "5", "3"}) {
		t.Errorf("%q", got)
	}
	if c.Forwarded.Load() != 6 || c.Left.Load() != 0 || c.Pending.Load() != 0 {
		t.Errorf("%d sent, %d left, %d pending", c.Forwarded.Load(), c.Left.Load(),
			c.Pending.Load())
	}
}

// TestReturned: a message that comes back is kept at the source, though its confirmation
// follows.
func TestReturned(t *testing.T) {
	t.Parallel()
	_, far := dialTarget(t, func(x *target, n int, body string) {
		if n == 2 {
			x.send(1, &wire.BasicAck{DeliveryTag: 1})
			x.send(1, &wire.BasicReturn{
				ReplyCode: 312, ReplyText: []byte("NO_ROUTE"), RoutingKey: []byte("far"),
			})
			b := wire.AppendHeader(nil, 1, []byte{
				0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(body)), 0, 0,
			})
			b = wire.AppendBody(b, 1, []byte(body), wire.DefaultFrameMax)
			if _, err := x.conn.Write(b); err != nil {
				x.t.Error(err)
			}
			x.send(1, &wire.BasicAck{DeliveryTag: 2})
		}
	})
	b, source := filled(t, 2)
	err := Run(t.Context(), Config{
		Source: source, Target: far, Queue: "q", Count: Unlimited, Make: same,
	}, new(Counters))
	if !errors.Is(err, ErrUnroutable) {
		t.Fatal(err)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	for { // the second message is there again
		m, ok, err := b.Channel("/").Get("q", true)
		if err != nil || !ok {
			t.Fatal("it is gone", err)
		}
		if string(m.Body) == "2" {
			return
		}
	}
}

// TestEndsInOrder: when its time is over it waits for what was sent, and settles that.
func TestEndsInOrder(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, far := dialTarget(t, func(x *target, n int, _ string) {
		if n == 3 {
			cancel()
			x.send(1, &wire.BasicAck{DeliveryTag: 3, Multiple: true})
		}
	})
	_, source := filled(t, 3)
	var c Counters
	err := Run(ctx, Config{
		Source: source, Target: far, Queue: "q", Count: Unlimited, Make: same,
		Grace: rabbittest.Patience,
	}, &c)
	if !errors.Is(err, context.Canceled) || c.Pending.Load() != 0 || c.Forwarded.Load() != 3 {
		t.Errorf("%v, %d pending of %d", err, c.Pending.Load(), c.Forwarded.Load())
	}
}
