package story

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// shaped makes a durable queue with arguments.
func shaped(t *testing.T, ch *amqp.Channel, queue string, args amqp.Table) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
}

// take waits for a message and settles it.
func take(
	t *testing.T, list <-chan amqp.Delivery, body string, settle func(amqp.Delivery) error,
) amqp.Delivery {
	t.Helper()
	d := kit.Receive(t, "message "+body, list)
	if string(d.Body) != body {
		t.Fatalf("message %s where %s is due", d.Body, body)
	}
	if err := settle(d); err != nil {
		t.Fatal(err)
	}
	return d
}

func ack(d amqp.Delivery) error     { return d.Ack(false) }
func reject(d amqp.Delivery) error  { return d.Reject(false) }
func requeue(d amqp.Delivery) error { return d.Nack(false, true) }
func hold(amqp.Delivery) error      { return nil }

// TestPatterns has a real client do over TLS what teams do with RabbitMQ's queue
// arguments. The process is killed in between.
func TestPatterns(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, p := range []struct {
		name string
		tell func(*testing.T, *kit.Server)
	}{
		{"retry by expiry and dead letters", retry},
		{"priorities", priorities},
		{"single active consumer", singleActive},
		{"delivery limit of a quorum queue", deliveryLimit},
		{"maximum length", maximumLength},
	} {
		t.Run(p.name, func(t *testing.T) { p.tell(t, s) })
	}
}

// retry sends failed work to wait in a second queue, and counts by x-death.
func retry(t *testing.T, s *kit.Server) {
	ch := channel(t, s.Dial(s.Main()), true)
	if err := ch.ExchangeDeclare("retry", "direct", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	shaped(t, ch, "work", amqp.Table{"x-dead-letter-exchange": "retry"})
	shaped(t, ch, "waiting", amqp.Table{
		"x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work",
	})
	if err := ch.QueueBind("waiting", "work", "retry", false, nil); err != nil {
		t.Fatal(err)
	}
	if !confirmed(t, publish(t, ch, "", "work", persistent("m"))) {
		t.Fatal("refused")
	}
	list := consume(t, ch, "work", 1)
	take(t, list, "m", reject)
	take(t, list, "m", reject)
	take(t, list, "m", hold)
	s.Kill() // what died and how often is not forgotten
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), true)
	list = consume(t, ch, "work", 1)
	take(t, list, "m", reject)
	d := take(t, list, "m", ack)
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) != 2 {
		t.Fatalf("x-death %v", d.Headers["x-death"])
	}
	for i, want := range []string{"3 expired waiting retry", "3 rejected work "} {
		x, _ := deaths[i].(amqp.Table)
		if got := fmt.Sprint(x["count"], " ", x["reason"], " ", x["queue"], " ",
			x["exchange"]); got != want {
			t.Errorf("death %q, want %q", got, want)
		}
	}
	if d.Headers["x-first-death-queue"] != "work" || d.Headers["x-last-death-queue"] != "waiting" {
		t.Errorf("%v", d.Headers)
	}
}

func priorities(t *testing.T, s *kit.Server) {
	ch := channel(t, s.Dial(s.Main()), true)
	shaped(t, ch, "ranks", amqp.Table{"x-max-priority": 3})
	for i, p := range []uint8{0, 2, 9, 3, 0, 1} {
		m := persistent(fmt.Sprint(i))
		m.Priority = p
		if !confirmed(t, publish(t, ch, "", "ranks", m)) {
			t.Fatal("refused")
		}
	}
	list := consume(t, ch, "ranks", 1)
	for _, want := range []string{"2", "3", "1", "5", "0", "4"} {
		take(t, list, want, ack)
	}
}

func singleActive(t *testing.T, s *kit.Server) {
	one := channel(t, s.Dial(s.Main()), true)
	two := channel(t, s.Dial(s.Main()), false)
	shaped(t, one, "only", amqp.Table{"x-single-active-consumer": true})
	first, second := consume(t, one, "only", 2), consume(t, two, "only", 2)
	for n := range 4 {
		if !confirmed(t, publish(t, one, "", "only", persistent(fmt.Sprint(n)))) {
			t.Fatal("refused")
		}
	}
	take(t, first, "0", ack)
	take(t, first, "1", hold)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "2", "3"} {
		take(t, second, want, ack)
	}
}

func deliveryLimit(t *testing.T, s *kit.Server) {
	ch := channel(t, s.Dial(s.Main()), true)
	shaped(t, ch, "poison.end", nil)
	shaped(t, ch, "poison", amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": 3, "x-dead-letter-exchange": "",
		"x-dead-letter-routing-key": "poison.end",
	})
	if !confirmed(t, publish(t, ch, "", "poison", amqp.Publishing{Body: []byte("m")})) {
		t.Fatal("refused")
	}
	list := consume(t, ch, "poison", 1)
	take(t, list, "m", requeue)
	d := take(t, list, "m", requeue)
	if d.Headers["x-delivery-count"] != int64(1) {
		t.Errorf("%v", d.Headers)
	}
	kit.Receive(t, "the third delivery", list)
	s.Kill() // a quorum queue keeps what is not persistent, and counts
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), true)
	list = consume(t, ch, "poison", 1)
	for d = take(t, list, "m", hold); d.Headers["x-delivery-count"] != int64(3); {
		if err := requeue(d); err != nil {
			t.Fatal(err)
		}
		d = take(t, list, "m", hold)
	}
	if err := requeue(d); err != nil {
		t.Fatal(err)
	}
	d = take(t, consume(t, ch, "poison.end", 1), "m", ack)
	if d.Headers["x-first-death-reason"] != "delivery_limit" ||
		d.Headers["x-delivery-count"] != nil {
		t.Errorf("%v", d.Headers)
	}
}

func maximumLength(t *testing.T, s *kit.Server) {
	ch := channel(t, s.Dial(s.Main()), true)
	for overflow, want := range map[string]struct{ acks, kept, dead string }{
		"drop-head":          {"++++", "23", "01"},
		"reject-publish":     {"++--", "01", ""},
		"reject-publish-dlx": {"++--", "01", "23"},
	} {
		queue := "full." + overflow
		shaped(t, ch, queue+".end", nil)
		shaped(t, ch, queue, amqp.Table{
			"x-max-length": 2, "x-overflow": overflow, "x-dead-letter-exchange": "",
			"x-dead-letter-routing-key": queue + ".end",
		})
		acks := ""
		for n := range 4 {
			if confirmed(t, publish(t, ch, "", queue, persistent(fmt.Sprint(n)))) {
				acks += "+"
			} else {
				acks += "-"
			}
		}
		if acks != want.acks {
			t.Errorf("%s: confirms %s", overflow, acks)
		}
		for i, q := range []string{queue, queue + ".end"} {
			list := consume(t, ch, q, 0)
			for _, body := range []string{want.kept, want.dead}[i] {
				take(t, list, string(body), ack)
			}
		}
	}
}
