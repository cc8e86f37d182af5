package amqp091

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/protocol/protocoltest"
)

// topicEngine permits to publish with keys that begin with w and to bind with those that
// begin with r.
type topicEngine struct {
	testEngine
	kept *atomic.Bool
}

func (e topicEngine) KeepsTopics(string, string, string) bool { return e.kept.Load() }

func (e topicEngine) PermitTopic(_, _, _, key string, action Action) error {
	if !e.kept.Load() || strings.HasPrefix(key, string(action)[:1]) {
		return nil
	}
	return fault.New(fault.Denied, "no")
}

// TestTopics: keys are looked at where topic exchanges are published to and bound to,
// and a change counts for channels that are open.
func TestTopics(t *testing.T) {
	t.Parallel()
	e := topicEngine{newEngine(t), new(atomic.Bool)}
	s, err := New(Config{Engine: e, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	c := connectInside(t, s, e)
	c.queue("q")
	publish := func(exchange, key string, cc ...any) error {
		c.must(c.Confirm(false))
		failed := c.NotifyClose(make(chan *amqp.Error, 1))
		d, err := c.PublishWithDeferredConfirm(exchange, key, false, false,
			amqp.Publishing{Headers: amqp.Table{"CC": cc}})
		c.must(err)
		<-d.Done()
		if d.Acked() {
			return nil
		}
		c.renew()
		return receive(t, failed)
	}
	bind := func(exchange, key string) error {
		err := c.QueueBind("q", key, exchange, false, nil)
		if err != nil {
			c.renew()
			return err
		}
		if err = c.QueueUnbind("q", key, exchange, nil); err != nil {
			c.renew()
		}
		return err
	}
	c.must(publish("amq.topic", "x"))
	e.kept.Store(true)
	for _, n := range []struct {
		err  error
		text string // "": it may
	}{
		{publish("amq.topic", "w"), ""}, {publish("amq.topic", "x"), "write 'x'"},
		{publish("amq.topic", "w", "w1"), ""}, {publish("amq.topic", "w", "x"), "write 'x'"},
		{publish("amq.direct", "x"), ""}, {publish("", "x"), ""},
		{bind("amq.topic", "r"), ""}, {bind("amq.topic", "x"), "read 'x'"},
		{bind("amq.direct", "x"), ""},
	} {
		if n.text == "" {
			c.must(n.err)
			continue
		}
		action, key, _ := strings.Cut(n.text, " ")
		want := "ACCESS_REFUSED - " + action + " access to topic " + key + " in exchange " +
			"'amq.topic' in vhost '/' refused for user 'none'"
		x, ok := errors.AsType[*amqp.Error](n.err)
		if !ok || x.Code != amqp.AccessRefused || x.Reason != want {
			t.Errorf("%s: %v", n.text, n.err)
		}
	}
}
