package story

import (
	"strconv"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// channel opens a channel, in confirm mode if asked.
func channel(t *testing.T, conn *amqp.Connection, confirm bool) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err == nil && confirm {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// declare makes a durable queue.
func declare(t *testing.T, ch *amqp.Channel, queue string) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
}

// persistent is a message whose body is text.
func persistent(text string) amqp.Publishing {
	return amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(text)}
}

// publish sends a message and gives its confirmation to come.
func publish(
	t *testing.T, ch *amqp.Channel, exchange, key string, m amqp.Publishing,
) *amqp.DeferredConfirmation {
	t.Helper()
	d, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), exchange, key, false, false, m)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return d
}

// confirmed waits for the broker's word: true is ack, false is nack.
func confirmed(t *testing.T, d *amqp.DeferredConfirmation) bool {
	t.Helper()
	kit.Receive(t, "a confirmation", closed(d.Done()))
	return d.Acked()
}

// closed gives one value when c is closed.
func closed(c <-chan struct{}) <-chan bool {
	one := make(chan bool, 1)
	go func() { <-c; one <- true }()
	return one
}

// consume starts a consumer that acknowledges by hand.
func consume(t *testing.T, ch *amqp.Channel, queue string, prefetch int) <-chan amqp.Delivery {
	t.Helper()
	if err := ch.Qos(prefetch, 0, false); err != nil {
		t.Fatal(err)
	}
	list, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// depth asks how many messages of a queue are ready.
func depth(t *testing.T, ch *amqp.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

// drain takes messages first to last, whose bodies are numbers, each once and
// in order, and acknowledges them.
func drain(t *testing.T, list <-chan amqp.Delivery, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		d := kit.Receive(t, "message "+strconv.Itoa(n), list)
		if got := number(d.Body); got != n {
			t.Fatalf("message %d where %d is due, redelivered=%t", got, n, d.Redelivered)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
}

// number reads the number at the end of a body, or gives -1.
func number(body []byte) int {
	i := len(body)
	for i > 0 && body[i-1] >= '0' && body[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(string(body[i:]))
	if err != nil {
		return -1
	}
	return n
}

// notices gathers what the broker says about a connection being blocked.
func notices(conn *amqp.Connection) <-chan amqp.Blocking {
	return conn.NotifyBlocked(make(chan amqp.Blocking, 16))
}
