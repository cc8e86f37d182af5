package amqp091

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/protocoltest"
)

// dialAs opens a connection from within the process.
func dialAs(t *testing.T, s *Server, user string, auth amqp.Authentication) (
	*amqp.Connection, error,
) {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	c, err := amqp.DialConfig("amqp://inside", amqp.Config{
		Vhost: "/", SASL: []amqp.Authentication{auth},
		Dial: func(string, string) (net.Conn, error) {
			near, far := net.Pipe()
			serving.Go(func() { s.ServeAs(t.Context(), far, user) })
			return near, nil
		},
	})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestServeAs enters as a user who was authenticated elsewhere, and is held to it.
func TestServeAs(t *testing.T) {
	t.Parallel()
	s, err := New(Config{
		Engine: newEngine(t), Logger: protocoltest.Quiet(), RefusalDelay: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := dialAs(t, s, "ann", &amqp.ExternalAuth{})
	if err != nil {
		t.Fatal(err)
	}
	for user, wrong := range map[string]bool{"ann": false, "bob": true} {
		ch, err := c.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		failed := ch.NotifyClose(make(chan *amqp.Error, 1))
		d, err := ch.PublishWithDeferredConfirm("amq.fanout", "", false, false,
			amqp.Publishing{UserId: user})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-failed:
			if !wrong || e.Code != amqp.PreconditionFailed {
				t.Errorf("message of %s: %v", user, e)
			}
		case <-d.Done():
			if wrong && d.Acked() {
				t.Errorf("a message of %s was taken", user)
			}
		}
	}
	_, err = dialAs(t, s, "ann", &amqp.PlainAuth{Username: "ann", Password: "ann"})
	if !errors.Is(err, amqp.ErrSASL) && !errors.Is(err, io.EOF) {
		t.Errorf("a password was asked for: %v", err)
	}
}

// insideEngine permits everything, also to write messages in the names of others.
type insideEngine struct{ testEngine }

func (insideEngine) Permit(string, string, Resource, string, Action) error { return nil }
func (insideEngine) Impersonates(string) bool                              { return true }

// TestServeInside: what the engine of the server denies to users, the broker itself may.
func TestServeInside(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Denied["queue q configure"] = true
	s, err := New(Config{Engine: e, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := dialAs(t, s, "u", &amqp.ExternalAuth{}); err != nil {
		t.Fatal(err)
	} else if ch, err := c.Channel(); err != nil {
		t.Fatal(err)
	} else if _, err = ch.QueueDeclare("q", true, false, false, false, nil); err == nil {
		t.Error("a user was permitted what is denied")
	}
	near, far := net.Pipe()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { s.ServeInside(t.Context(), far, insideEngine{e}) })
	conn, err := amqp.Open(near, amqp.Config{
		Vhost: "/", Locale: "en_US", FrameSize: 131072,
		SASL: []amqp.Authentication{&amqp.ExternalAuth{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t, ch, conn}
	c.queue("q")
	c.must(c.PublishWithContext(t.Context(), "", "q", false, false,
		amqp.Publishing{UserId: "another", Body: []byte("m")}))
	if m, ok, err := c.Get("q", true); err != nil || !ok || m.UserId != "another" {
		t.Errorf("%+v %v %v", m, ok, err)
	}
}
