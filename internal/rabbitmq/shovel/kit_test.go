package shovel

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/rabbittest"
)

// world is two brokers, of which the first has shovels.
type world struct {
	t       testing.TB
	here    *rabbittest.Broker
	there   *rabbittest.Broker
	uri     string // of there, over TLS
	ca      string
	set     *Set
	log     rabbittest.Log
	watched chan struct{}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	w.there = rabbittest.New(t, "there", nil)
	dialer := peer.New(peer.Config{})
	w.here = rabbittest.New(t, "here", rabbittest.Components{Component: Validate(dialer)})
	addr, ca := w.there.Listen()
	w.ca = ca
	w.uri = fmt.Sprintf("amqps://%s:%s@%s?cacertfile=%s",
		rabbittest.User, rabbittest.Escaped, addr, ca)
	w.run()
	t.Cleanup(func() { w.set.Close() })
	return w
}

// run starts the shovels, as a start of the process does.
func (w *world) run() {
	w.set = Run(w.here.Broker, peer.New(peer.Config{Broker: w.here}), Config{
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Cluster: "here",
	})
}

// definition is a parameter's value with a delay that does not keep tests waiting.
func definitionOf(change map[string]any) json.RawMessage {
	o := map[string]any{"reconnect-delay": 0.01}
	for k, v := range change {
		o[k] = v
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return b
}

func (w *world) put(name string, change map[string]any) {
	w.t.Helper()
	_, err := w.here.PutParameter(w.t.Context(), rabbitmq.Parameter{
		Component: Component, Vhost: "/", Name: name, Value: definitionOf(change),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := w.here.DeleteParameter(w.t.Context(), Component, "/", name); err != nil {
		w.t.Fatal(err)
	}
}

// await waits until cond holds; what is waited for has no event of its own.
func await(t testing.TB, what string, cond func() bool, shown ...func() string) {
	t.Helper()
	state := func() (s string) {
		for _, fn := range shown {
			s += "\n" + fn()
		}
		return s
	}
	late := time.After(rabbittest.Patience)
	for !cond() {
		select {
		case <-late:
			t.Fatalf("waited too long for: %s%s", what, state())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// status finds a shovel.
func (w *world) status(name string) (Status, bool) {
	for _, s := range w.set.List() {
		if s.Name == name {
			return s, true
		}
	}
	return Status{}, false
}

// awaitState waits until a shovel is in a state, with a reason that has some text.
func (w *world) awaitState(name, state, reason string) {
	w.t.Helper()
	await(w.t, name+" to be "+state+" "+reason, func() bool {
		s, ok := w.status(name)
		return ok && s.State == state && strings.Contains(s.Reason, reason)
	}, w.log.String)
}

func (w *world) awaitGone(name string) {
	w.t.Helper()
	await(w.t, name+" to be gone", func() bool {
		_, ok := w.status(name)
		return !ok && len(w.here.Parameters()) == 0
	})
}

// end removes a shovel and waits until it has ended: one that is listed no more may still
// be about to consume.
func (w *world) end(name string) {
	w.t.Helper()
	w.set.mu.Lock()
	ended := w.set.workers[key{"/", name}].ended
	w.set.mu.Unlock()
	w.remove(name)
	w.awaitGone(name)
	select {
	case <-ended:
	case <-time.After(rabbittest.Patience):
		w.t.Fatalf("%s does not end", name)
	}
}

// client is a channel with what tests do.
type client struct {
	t testing.TB
	*amqp.Channel
}

func (c client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c client) queue(name string, args amqp.Table) {
	c.t.Helper()
	_, err := c.QueueDeclare(name, true, false, false, false, args)
	c.must(err)
}

func (c client) send(exchange, key string, messages ...amqp.Publishing) {
	c.t.Helper()
	c.must(c.Confirm(false))
	for _, m := range messages {
		m.DeliveryMode = amqp.Persistent
		d, err := c.PublishWithDeferredConfirmWithContext(c.t.Context(), exchange, key,
			false, false, m)
		c.must(err)
		if !d.Wait() {
			c.t.Fatalf("a message to %q %q was refused", exchange, key)
		}
	}
}

func (c client) text(queue string, from, to int) {
	c.t.Helper()
	for i := from; i < to; i++ {
		c.send("", queue, amqp.Publishing{Body: fmt.Append(nil, i)})
	}
}

// take waits for n messages of a queue and settles them.
func (c client) take(queue string, n int) (list []amqp.Delivery) {
	c.t.Helper()
	d, err := c.ConsumeWithContext(context.Background(), queue, "taker", false, false, false,
		false, nil)
	c.must(err)
	for len(list) < n {
		select {
		case m, ok := <-d:
			if !ok {
				c.t.Fatalf("%s: deliveries ended after %d", queue, len(list))
			}
			c.must(m.Ack(false))
			list = append(list, m)
		case <-time.After(rabbittest.Patience):
			c.t.Fatalf("%s: %d of %d messages", queue, len(list), n)
		}
	}
	c.must(c.Cancel("taker", false))
	for m := range d { // what came beyond
		c.must(m.Nack(false, true))
	}
	return list
}

// distinct takes messages until n different ones have come.
func (c client) distinct(queue string, n int) {
	c.t.Helper()
	d, err := c.ConsumeWithContext(context.Background(), queue, "taker", false, false, false,
		false, nil)
	c.must(err)
	for seen := map[string]bool{}; len(seen) < n; {
		select {
		case m, ok := <-d:
			if !ok {
				c.t.Fatalf("%s: deliveries ended after %d", queue, len(seen))
			}
			c.must(m.Ack(false))
			seen[string(m.Body)] = true
		case <-time.After(rabbittest.Patience):
			c.t.Fatalf("%s: %d of %d different messages", queue, len(seen), n)
		}
	}
	c.must(c.Cancel("taker", false))
}

// count is the number of ready messages.
func (c client) count(queue string) int {
	c.t.Helper()
	q, err := c.QueueDeclarePassive(queue, true, false, false, false, nil)
	c.must(err)
	return q.Messages
}

func (w *world) near() client  { return client{w.t, w.here.Channel("/")} }
func (w *world) other() client { return client{w.t, w.there.Channel("/")} }
