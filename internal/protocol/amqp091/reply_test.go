package amqp091

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
)

// serveCalls answers what comes to the queue "calls" until the test ends.
func serveCalls(t *testing.T, s *service) {
	t.Helper()
	c := connect(t, s)
	c.queue("calls")
	d, err := c.Consume("calls", "", true, false, false, false, nil)
	c.must(err)
	var task sync.WaitGroup
	task.Go(func() {
		for m := range d {
			err := c.PublishWithContext(t.Context(), "", m.ReplyTo, false, false, amqp.Publishing{
				CorrelationId: m.CorrelationId, Body: []byte(strings.ToUpper(string(m.Body))),
			})
			if err != nil {
				return // the test is over
			}
		}
	})
	t.Cleanup(func() {
		c.conn.Close()
		task.Wait()
	})
}

// TestDirectReplies calls through a queue and gets the answers on the channel that
// asked.
func TestDirectReplies(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	serveCalls(t, s)
	var tasks sync.WaitGroup
	for range 4 {
		c := connect(t, s)
		tasks.Go(func() { call(t, c) })
	}
	tasks.Wait()
}

func call(t *testing.T, c *client) {
	answers, err := c.Consume(directReplyTo, "answers", true, false, false, false, nil)
	if err != nil {
		t.Error(err)
		return
	}
	names := map[string]bool{}
	for i := range 50 {
		id, body := strconv.Itoa(i), strings.Repeat("x", i*i*100)
		err := c.PublishWithContext(t.Context(), "", "calls", true, false, amqp.Publishing{
			ReplyTo: directReplyTo, CorrelationId: id, Body: []byte(body),
		})
		if err != nil {
			t.Error(err)
			return
		}
		d := receive(t, answers)
		if d.CorrelationId != id || string(d.Body) != strings.ToUpper(body) ||
			d.DeliveryTag != uint64(i+1) || d.ConsumerTag != "answers" || d.Exchange != "" ||
			d.Redelivered {
			t.Errorf("answer %d: tag %d, %d octets", i, d.DeliveryTag, len(d.Body))
		}
		names[d.RoutingKey] = true
	}
	for name := range names {
		if len(names) != 1 || !strings.HasPrefix(name, replyPrefix) ||
			len(name) < len(replyPrefix)+20 {
			t.Errorf("names %v", names)
		}
	}
}

// asker is a channel that has asked once.
func asker(t *testing.T, s *service) (c *client, name string, answers <-chan amqp.Delivery) {
	t.Helper()
	c = connect(t, s)
	c.queue("q")
	answers, err := c.Consume(directReplyTo, "t", true, false, false, false, nil)
	c.must(err)
	c.must(c.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{
		ReplyTo: directReplyTo, AppId: "app", Headers: amqp.Table{"h": "v"},
	}))
	d, ok, err := c.Get("q", true)
	if err != nil || !ok || d.AppId != "app" || d.Headers["h"] != "v" {
		t.Fatal(d, ok, err)
	}
	return c, d.ReplyTo, answers
}

// TestAnswersAfterTheEnd returns mandatory answers, as RabbitMQ does whether the one
// who asked is there, gone or guessed, and tells who wants to know whether he is there.
func TestAnswersAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	other := connect(t, s)
	returned := other.NotifyReturn(make(chan amqp.Return, 4))
	answer := func(name string) {
		other.must(other.PublishWithContext(t.Context(), "", name, true, false,
			amqp.Publishing{Body: []byte("answer")}))
	}
	back := func(name string) {
		t.Helper()
		if r := receive(t, returned); r.RoutingKey != name || r.ReplyText != "NO_ROUTE" {
			t.Errorf("%+v", r)
		}
	}
	gone := func(name string) {
		t.Helper()
		answer(name)
		back(name)
		c := connect(t, s)
		if _, err := c.QueueDeclarePassive(name, false, false, false, false, nil); err == nil {
			t.Error("who asked is there")
		}
	}
	ends := []func(*client){
		func(c *client) { c.must(c.Cancel("t", false)) },
		func(c *client) { c.must(c.Close()) },
		func(c *client) { c.must(c.conn.Close()) },
	}
	for _, end := range ends {
		c, name, answers := asker(t, s)
		q, err := other.QueueDeclarePassive(name, false, false, false, false, nil)
		if err != nil || q.Consumers != 1 || q.Name != name {
			t.Fatal(q, err)
		}
		answer(name)
		if d := receive(t, answers); string(d.Body) != "answer" {
			t.Errorf("%s", d.Body)
		}
		back(name)
		gone(name + "z")
		end(c)
		gone(name)
	}
	if len(returned) > 0 {
		t.Errorf("returned %+v", <-returned)
	}
}

// TestReplyConsumerAgain consumes answers again after a cancel, under another name.
func TestReplyConsumerAgain(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, name, _ := asker(t, s)
	c.must(c.Cancel("t", false))
	answers, err := c.Consume(directReplyTo, "", true, false, false, false, nil)
	c.must(err)
	c.must(c.PublishWithContext(t.Context(), "", "q", false, false,
		amqp.Publishing{ReplyTo: directReplyTo}))
	d, ok, err := c.Get("q", true)
	if err != nil || !ok || d.ReplyTo == name {
		t.Fatal(d.ReplyTo, ok, err)
	}
	c.must(c.PublishWithContext(t.Context(), "", d.ReplyTo, false, false,
		amqp.Publishing{Body: []byte("x")}))
	if got := receive(t, answers); string(got.Body) != "x" {
		t.Errorf("%s", got.Body)
	}
}

// TestAnswersInTransactions leave with the commit only.
func TestAnswersInTransactions(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	_, name, answers := asker(t, s)
	c := connect(t, s)
	c.must(c.Tx())
	for _, body := range []string{"rolled back", "1", "2"} {
		c.must(c.PublishWithContext(t.Context(), "", "nowhere", true, false, amqp.Publishing{
			Headers: amqp.Table{"CC": []any{name}}, Body: []byte(body),
		}))
		if body == "rolled back" {
			c.must(c.TxRollback())
		}
	}
	c.must(c.TxCommit())
	if got := strings.Join(bodies(t, answers, 2), " "); got != "1 2" {
		t.Errorf("answers %s", got)
	}
}

// TestLockedAnswers sends no answer while the key cannot be used, although nothing of
// it is stored.
func TestLockedAnswers(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	_, name, answers := asker(t, s)
	c := connect(t, s)
	c.must(c.Confirm(false))
	send := func(body string) bool {
		d, err := c.PublishWithDeferredConfirmWithContext(t.Context(), "", name, false, false,
			amqp.Publishing{Body: []byte(body)})
		c.must(err)
		ok, err := d.WaitContext(t.Context())
		c.must(err)
		return ok
	}
	s.Domain.Disable()
	if send("locked") {
		t.Error("sent while locked")
	}
	s.Domain.Set(nil)
	if !send("open") {
		t.Error("refused")
	}
	if got := bodies(t, answers, 1)[0]; got != "open" {
		t.Errorf("answer %s", got)
	}
}

// TestAnswersAreCounted bounds the answers of a transaction, however small, and sends
// one to a name that is told more than once.
func TestAnswersAreCounted(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	_, name, answers := asker(t, s)
	c, plain := connect(t, s), connect(t, s)
	closed := c.NotifyClose(make(chan *amqp.Error, 1))
	c.must(c.Tx())
	for range broker.MaxTransactionCount + 2 {
		err := c.PublishWithContext(t.Context(), "", name, false, false, amqp.Publishing{})
		if err != nil {
			break
		}
	}
	c.Close()
	if e := receive(t, closed); e == nil || e.Code != 406 {
		t.Fatalf("closed with %v", e)
	}
	for _, body := range []string{"1", "2"} {
		plain.must(plain.PublishWithContext(t.Context(), "", name, false, false, amqp.Publishing{
			Headers: amqp.Table{"CC": []any{name, "nowhere", name}}, Body: []byte(body),
		}))
	}
	if got := strings.Join(bodies(t, answers, 2), " "); got != "1 2" {
		t.Errorf("answers %s", got)
	}
}
