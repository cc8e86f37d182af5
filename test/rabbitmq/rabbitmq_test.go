package rabbitmq_test

import (
	"errors"
	"net"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/rabbitmq"
)

// TestLife starts a broker, uses it and sees it gone.
func TestLife(t *testing.T) {
	t.Parallel()
	s, err := rabbitmq.Start(t.Context(), rabbitmq.Config{
		Users: []rabbitmq.User{{Name: "u", Password: "p", Configure: "^mine", Write: ".*"}},
	})
	if errors.Is(err, rabbitmq.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := amqp.Dial("amqp://u:p@" + s.Addr)
	if err != nil {
		t.Fatal(err, s.Log())
	}
	for name, allowed := range map[string]bool{"mine": true, "yours": false} {
		ch, err := c.Channel()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ch.QueueDeclare(name, false, false, true, false, nil)
		if (err == nil) != allowed {
			t.Errorf("declare %s: %v", name, err)
		}
	}
	c.Close()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", s.Addr); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("its directory is still there:", err)
	}
}
