package story

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	amqp10 "github.com/Azure/go-amqp"

	"coffer/test/story/kit"
)

// link10 is a session of AMQP 1.0 with a deadline for each call.
type link10 struct {
	t       *testing.T
	session *amqp10.Session
}

func session10(t *testing.T, conn *amqp10.Conn) *link10 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	s, err := conn.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &link10{t, s}
}

func (l *link10) sender(address string) *amqp10.Sender {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), kit.Patience)
	defer cancel()
	s, err := l.session.NewSender(ctx, address, nil)
	if err != nil {
		l.t.Fatalf("sender to %s: %v", address, err)
	}
	return s
}

func (l *link10) receiver(address string, credit int32) *amqp10.Receiver {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), kit.Patience)
	defer cancel()
	r, err := l.session.NewReceiver(ctx, address, &amqp10.ReceiverOptions{Credit: credit})
	if err != nil {
		l.t.Fatalf("receiver from %s: %v", address, err)
	}
	return r
}

func (l *link10) send(s *amqp10.Sender, text string) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), kit.Patience)
	defer cancel()
	return s.Send(ctx, amqp10.NewMessage([]byte(text)), nil)
}

func (l *link10) receive(r *amqp10.Receiver) *amqp10.Message {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), kit.Patience)
	defer cancel()
	m, err := r.Receive(ctx, nil)
	if err != nil {
		l.t.Fatalf("receive: %v", err)
	}
	return m
}

// A client of AMQP 1.0 comes to the port of 0-9-1, and its messages survive a kill.
func TestAMQP10RoundTrip(t *testing.T) {
	s := start(t)

	declare(t, channel(t, s.Dial(s.Main()), false), "q")
	l := session10(t, s.Dial10(s.Main()))
	out := l.sender("/queues/q")
	for n := range 10 {
		if err := l.send(out, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	s.Kill()
	s.Restart()
	l = session10(t, s.Dial10(s.Main()))
	in := l.receiver("/queues/q", 3)
	for n := range 10 {
		m := l.receive(in)
		if got := string(m.GetData()); got != fmt.Sprint(n) {
			t.Fatalf("message %d is %q", n, got)
		}
		if err := in.AcceptMessage(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	ch := channel(t, s.Dial(s.Main()), false)
	if n := depth(t, ch, "q"); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// The protocol header decides which AMQP a client gets; what is neither hears of 0-9-1,
// as RabbitMQ answers, and AMQP 1.0 without a login hears that one is needed.
func TestAMQPHeaders(t *testing.T) {
	s := start(t)
	u, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	const old, sasl = "AMQP\x00\x00\x09\x01", "AMQP\x03\x01\x00\x00"
	for header, want := range map[string]string{
		"AMQP\x00\x01\x00\x00": sasl, "AMQP\x01\x01\x00\x0a": old, "AMQP\x00\x02\x00\x00": old,
		"GET / HT": old, "AMQP\x02\x01\x00\x00": old, "\x00\x00\x00\x00\x00\x00\x00\x00": old,
		"AMQ": "", sasl: sasl,
	} {
		conn, err := tls.Dial("tcp", u.Host, s.TLS())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(kit.Patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(header)); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			err = conn.CloseWrite()
		}
		got := make([]byte, len(old))
		n, readErr := io.ReadFull(conn, got)
		if string(got[:n]) != want || err != nil {
			t.Errorf("%q gets %q, %v, %v", header, got[:n], readErr, err)
		}
		conn.Close()
	}
}
