package story

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// must ends the test with an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// web declares exchanges of all kinds that lead to one another. All but what is
// bound to "short" survives a restart.
func web(t *testing.T, ch *amqp.Channel) {
	t.Helper()
	for _, x := range []struct {
		name, kind string
		durable    bool
		args       amqp.Table
	}{
		{"rest", "fanout", true, nil},
		{"in", "topic", true, amqp.Table{"alternate-exchange": "rest"}},
		{"spread", "x-consistent-hash", true, amqp.Table{"hash-header": "who"}},
		{"short", "fanout", false, nil},
	} {
		must(t, ch.ExchangeDeclare(x.name, x.kind, x.durable, false, false, false, x.args))
	}
	for _, q := range []string{"orders", "large", "dropped", "one", "two", "seen"} {
		declare(t, ch, q)
	}
	must(t, ch.ExchangeBind("amq.headers", "order.#", "in", false, nil))
	must(t, ch.ExchangeBind("spread", "spread.*", "in", false, nil))
	must(t, ch.ExchangeBind("short", "order.*", "in", false, nil))
	for queue, args := range map[string]amqp.Table{
		"orders": {"type": "order"},
		"large":  {"x-match": "any", "size": int64(9), "x-ignored": true},
	} {
		must(t, ch.QueueBind(queue, "", "amq.headers", false, args))
	}
	must(t, ch.QueueBind("dropped", "", "rest", false, nil))
	must(t, ch.QueueBind("one", "1", "spread", false, nil))
	must(t, ch.QueueBind("two", "3", "spread", false, nil))
	must(t, ch.QueueBind("seen", "", "short", false, nil))
}

// TestExchangesSurvive routes by headers, over other exchanges, alternates and hashes,
// before a restart and after it.
func TestExchangesSurvive(t *testing.T) {
	t.Parallel()
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), true)
	web(t, ch)
	send := func(key string, headers amqp.Table) {
		m := persistent("x")
		m.Headers = headers
		if !confirmed(t, publish(t, ch, "in", key, m)) {
			t.Fatalf("%s is refused", key)
		}
	}
	all := func() {
		send("order.new", amqp.Table{"type": "order", "size": int32(9)})
		send("order.old", amqp.Table{"type": "invoice", "size": int32(8)})
		send("other", nil)
		for i := range 20 {
			send("spread.x", amqp.Table{"who": fmt.Sprint("someone", i)})
		}
	}
	all()
	first := map[string]int{}
	for _, q := range []string{"orders", "large", "dropped", "one", "two", "seen"} {
		first[q] = depth(t, ch, q)
	}
	if first["one"]+first["two"] != 20 || first["one"]*first["two"] == 0 {
		t.Errorf("%d and %d messages are spread", first["one"], first["two"])
	}
	for q, n := range map[string]int{"orders": 1, "large": 1, "dropped": 1, "seen": 2} {
		if first[q] != n {
			t.Errorf("queue %s has %d messages, want %d", q, first[q], n)
		}
	}
	s.Stop()
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), true)
	all()
	for q, n := range first {
		want := 2 * n
		if q == "seen" {
			want = n // its exchange did not survive
		}
		if got := depth(t, ch, q); got != want {
			t.Errorf("after the restart queue %s has %d messages, want %d", q, got, want)
		}
	}
}

// TestCalls asks and answers over direct reply-to, in a transaction at the one who
// answers.
func TestCalls(t *testing.T) {
	t.Parallel()
	s := start(t)
	const replies = "amq.rabbitmq.reply-to"
	out, in := channel(t, s.Dial(s.Main()), false), channel(t, s.Dial(s.Main()), false)
	declare(t, in, "calls")
	must(t, in.Tx())
	calls := consume(t, in, "calls", 1)
	answers, err := out.Consume(replies, "", true, false, false, false, nil)
	must(t, err)
	for n := range 10 {
		m := persistent(fmt.Sprint(n))
		m.ReplyTo = replies
		must(t, out.PublishWithContext(t.Context(), "", "calls", false, false, m))
		d := kit.Receive(t, "a call", calls)
		must(t, in.PublishWithContext(t.Context(), "", d.ReplyTo, true, false,
			amqp.Publishing{Body: append([]byte("answer "), d.Body...)}))
		must(t, d.Ack(false))
		must(t, in.TxCommit())
		if a := kit.Receive(t, "an answer", answers); number(a.Body) != n {
			t.Errorf("answer %q to %d", a.Body, n)
		}
	}
}

// TestTransactionsAreWhole moves messages from queue to queue, shares a limit of the
// channel, and finds after a kill each of them in one place.
func TestTransactionsAreWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), false)
	for _, q := range []string{"from", "to"} {
		declare(t, ch, q)
	}
	must(t, ch.Tx())
	const count = 20
	for n := range count {
		must(t, ch.PublishWithContext(t.Context(), "", "from", false, false,
			persistent(fmt.Sprint(n))))
	}
	must(t, ch.TxCommit())
	must(t, ch.Qos(4, 0, true))
	list, err := ch.Consume("from", "", false, false, false, false, nil)
	must(t, err)
	for n := range count - 2 {
		d := kit.Receive(t, "a message", list)
		m := persistent(string(d.Body))
		must(t, ch.PublishWithContext(t.Context(), "", "to", false, false, m))
		must(t, d.Ack(false))
		if n%4 == 3 {
			must(t, ch.TxCommit())
		}
	}
	s.Kill()
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), false)
	if n := depth(t, ch, "to"); n != 16 {
		t.Errorf("%d messages came", n)
	}
	drain(t, consume(t, ch, "from", 10), 16, count-1)
}
