package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/rabbittest"
)

type object = map[string]any

// site is a broker with links.
type site struct {
	*rabbittest.Broker
	t   testing.TB
	set *Set
	uri string // of it, over TLS
	log rabbittest.Log
}

// plain reads arguments as node does.
func plain(b []byte) (map[string]any, error) {
	const length = 4
	if len(b) < length {
		return map[string]any{}, nil
	}
	t, err := wire.ParseTable(b[length:])
	if err != nil {
		return nil, err
	}
	return t.Plain(), nil
}

func newSite(t testing.TB, name string) *site {
	t.Helper()
	s := &site{t: t}
	check := Components(peer.New(peer.Config{}))
	s.Broker = rabbittest.New(t, name, check)
	addr, ca := s.Listen()
	s.uri = fmt.Sprintf("amqps://%s:%s@%s?cacertfile=%s",
		rabbittest.User, rabbittest.Escaped, addr, ca)
	s.run(name)
	t.Cleanup(func() { s.set.Close() })
	return s
}

func (s *site) run(name string) {
	s.set = Run(s.Broker.Broker, peer.New(peer.Config{Broker: s.Broker}), Config{
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Cluster: name,
		Poll: 5 * time.Millisecond, Arguments: plain,
	})
}

// upstream sets an upstream that is tried again at once.
func (s *site) upstream(name, uri string, more object) {
	s.t.Helper()
	o := object{"uri": uri, "reconnect-delay": 0.01}
	for k, v := range more {
		o[k] = v
	}
	s.parameter(Upstream, name, o)
}

func (s *site) parameter(component, name string, value any) {
	s.t.Helper()
	b, err := json.Marshal(value)
	if err == nil {
		_, err = s.PutParameter(s.t.Context(), rabbitmq.Parameter{
			Component: component, Vhost: "/", Name: name, Value: b,
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// policy federates what has a name that matches.
func (s *site) policy(name, pattern string, definition object) {
	s.t.Helper()
	_, err := s.PutPolicy(s.t.Context(), rabbitmq.Policy{
		Vhost: "/", Name: name, Pattern: pattern, Definition: definition,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) await(what string, cond func() bool) {
	s.t.Helper()
	late := time.After(rabbittest.Patience)
	for !cond() {
		select {
		case <-late:
			s.t.Fatalf("waited too long for: %s\n%+v\n%s", what, s.set.List(), s.log.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// awaitLinks waits until there are so many links, and all are in a state.
func (s *site) awaitLinks(n int, state string) []Status {
	s.t.Helper()
	var list []Status
	s.await(fmt.Sprint(n, " links ", state), func() bool {
		list = s.set.List()
		for _, l := range list {
			if l.State != state {
				return false
			}
		}
		return len(list) == n
	})
	return list
}

// client is a channel with what tests do.
type client struct {
	t testing.TB
	*amqp.Channel
}

func (s *site) client() client { return client{s.t, s.Channel("/")} }

func (c client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c client) queue(name string) {
	c.t.Helper()
	_, err := c.QueueDeclare(name, true, false, false, false, nil)
	c.must(err)
}

func (c client) exchange(name, kind string) {
	c.t.Helper()
	c.must(c.ExchangeDeclare(name, kind, true, false, false, false, nil))
}

func (c client) bind(queue, key, exchange string, args amqp.Table) {
	c.t.Helper()
	c.must(c.QueueBind(queue, key, exchange, false, args))
}

func (c client) send(exchange, key, body string, headers amqp.Table) {
	c.t.Helper()
	c.must(c.Confirm(false))
	d, err := c.PublishWithDeferredConfirmWithContext(c.t.Context(), exchange, key, false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body), Headers: headers})
	c.must(err)
	if !d.Wait() {
		c.t.Fatal("refused")
	}
}

func (c client) consume(queue string, priority int) <-chan amqp.Delivery {
	c.t.Helper()
	d, err := c.ConsumeWithContext(context.Background(), queue, "", true, false, false, false,
		amqp.Table{"x-priority": int32(priority)})
	c.must(err)
	return d
}

func (c client) next(d <-chan amqp.Delivery) amqp.Delivery {
	c.t.Helper()
	select {
	case m, ok := <-d:
		if !ok {
			c.t.Fatal("deliveries ended")
		}
		return m
	case <-time.After(rabbittest.Patience):
		c.t.Fatal("nothing came")
	}
	panic("unreachable")
}
