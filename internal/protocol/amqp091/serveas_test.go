package amqp091

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
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
		Engine: newEngine(t), Logger: quiet(), RefusalDelay: time.Nanosecond,
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
