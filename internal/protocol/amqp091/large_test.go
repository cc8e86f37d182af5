package amqp091

import (
	"bytes"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestLargeBodies moves bodies around the size from which the core keeps them in
// parts, and one of the maximum size, by consume and get.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.must(c.Confirm(false))
	pattern := []byte("0123456789abcde")
	body := bytes.Repeat(pattern, defaultMaxMessage/len(pattern)+1)[:defaultMaxMessage]
	sizes := []int{256<<10 - 50, 256 << 10, 256<<10 + 1, 3 << 20, len(body)}
	for _, n := range append(sizes, sizes...) {
		confirm, err := c.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Type: "t", Body: body[:n],
		})
		c.must(err)
		if !confirm.Wait() {
			t.Fatalf("%d octets were not taken", n)
		}
	}
	for _, n := range sizes {
		m, ok, err := c.Get("q", true)
		c.must(err)
		if !ok || m.Type != "t" || !bytes.Equal(m.Body, body[:n]) {
			t.Fatalf("got %d octets, want %d", len(m.Body), n)
		}
	}
	list, err := c.Consume("q", "", false, false, false, false, nil)
	c.must(err)
	for _, n := range sizes {
		m := <-list
		if m.Type != "t" || !bytes.Equal(m.Body, body[:n]) {
			t.Fatalf("consumed %d octets, want %d", len(m.Body), n)
		}
		c.must(m.Ack(false))
	}
}
