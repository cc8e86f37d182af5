package story

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// TestFewFiles: clients that never log in take no more files than the process can spare:
// who is connected goes on, what is confirmed is there, and the process lives.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "coffer")
	text := fmt.Sprintf("#!/bin/sh\nulimit -n 256 && exec %q \"$@\"\n", binary)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	s := kit.Start(t, kit.Config{Binary: script})
	ch, err := s.Dial(s.Main()).Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err == nil {
		_, err = ch.QueueDeclare("orders", true, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(s.Env["COFFER_AMQP_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for range 400 {
		conn, err := net.Dial("tcp", to.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	const messages = 200
	for range messages {
		c, err := ch.PublishWithDeferredConfirm("", "orders", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: make([]byte, 20<<10)})
		if err != nil {
			t.Fatal(err)
		}
		if !c.Wait() {
			t.Fatal("a message was refused")
		}
	}
	s.Kill()
	s.Restart()
	ch, err = s.Dial(s.Main()).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if q, err := ch.QueueInspect("orders"); err != nil || q.Messages != messages {
		t.Errorf("%d messages are there, %v", q.Messages, err)
	}
}
