package federation

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
)

// TestExchange brings to an exchange here what one upstream gets and is bound for here,
// and follows the bindings.
func TestExchange(t *testing.T) {
	t.Parallel()
	up, down := newSite(t, "up"), newSite(t, "down")
	there, here := up.client(), down.client()
	here.exchange("x", "topic")
	here.queue("q")
	here.bind("q", "a.*", "x", nil)
	down.upstream("u", up.uri, object{"max-hops": 2})
	down.policy("p", "^x$", object{"federation-upstream": "u"})
	l := down.awaitLinks(1, Running)[0]
	there.send("x", "b.1", "no binding", nil)
	there.send("x", "a.1", "one", amqp.Table{"k": "v"})
	d := here.consume("q", 0)
	m := here.next(d)
	way, _ := m.Headers[headerReceived].([]any)
	if string(m.Body) != "one" || m.RoutingKey != "a.1" || m.Headers["k"] != "v" || len(way) != 1 {
		t.Fatalf("%+v", m)
	}
	if w := way[0].(amqp.Table); w["cluster-name"] != "up" || w["vhost"] != "/" ||
		w["exchange"] != "x" || w["redelivered"] != false || w["uri"] != l.URI {
		t.Errorf("%+v", w)
	}
	here.bind("q", "b.#", "x", amqp.Table{"note": "n"})
	down.await("the binding upstream", func() bool { return fromX(up) == 2 })
	there.send("x", "b.2", "two", nil)
	if m := here.next(d); string(m.Body) != "two" {
		t.Errorf("%s", m.Body)
	}
	here.must(here.QueueUnbind("q", "a.*", "x", nil))
	down.await("the binding to be gone", func() bool { return fromX(up) == 1 })
	there.send("x", "a.2", "unbound", nil)
	there.send("x", "b.3", "three", nil)
	if m := here.next(d); string(m.Body) != "three" {
		t.Errorf("%s", m.Body)
	}
	for range 2 { // what is upstream takes turns, and nothing is twice
		if err := down.set.Restart("/", l.ID); err != nil {
			t.Fatal(err)
		}
		down.await("the next turn", func() bool {
			n := down.set.List()
			return len(n) == 1 && n[0].State == Running && n[0].Since.After(l.Since)
		})
		l = down.set.List()[0]
	}
	there.send("x", "b.4", "four", nil)
	there.send("x", "b.5", "five", nil)
	for _, want := range []string{"four", "five"} {
		if m := here.next(d); string(m.Body) != want {
			t.Errorf("%s, not %s", m.Body, want)
		}
	}
	if err := down.DeletePolicy(t.Context(), false, "/", "p"); err != nil {
		t.Fatal(err)
	}
	down.awaitLinks(0, Running)
	down.await("nothing to be left upstream", func() bool {
		return fromX(up) == 0 && made(up) == 0
	})
}

// made counts what links have made.
func made(s *site) (n int) {
	ns, _ := s.Namespace("/")
	ns.Topology().Addresses(func(a broker.Address) bool {
		if internal(a.Name) {
			n++
		}
		return true
	})
	ns.Topology().Queues(func(q *broker.Queue) bool {
		if internal(q.Spec().Name) {
			n++
		}
		return true
	})
	return n
}

// TestQueue brings messages while they are wanted here, with the lower priority.
func TestQueue(t *testing.T) {
	t.Parallel()
	up, down := newSite(t, "up"), newSite(t, "down")
	there, here := up.client(), down.client()
	here.queue("q")
	down.upstream("u", up.uri, object{"prefetch-count": 5})
	down.policy("p", "^q$", object{"federation-upstream-set": "all"})
	l := down.awaitLinks(1, Running)[0]
	if l.Type != "queue" || l.ConsumerTag != "federation-link-u" || l.Far != "q" {
		t.Errorf("%+v", l)
	}
	for i := range 20 {
		there.send("", "q", fmt.Sprint(i), nil)
	}
	low := here.consume("q", -1) // it wants none
	first := there.consume("q", 0)
	for i := range 20 {
		if m := there.next(first); string(m.Body) != fmt.Sprint(i) {
			t.Fatalf("%s at %d", m.Body, i)
		}
	}
	there.must(there.Close())
	there = up.client()
	high := here.consume("q", 0)
	for i := range 20 {
		there.send("amq.topic", "nowhere", "x", nil)
		there.send("", "q", fmt.Sprint("second ", i), amqp.Table{"CC": []any{"q2"}})
	}
	for range 20 {
		m := here.next(high)
		way, _ := m.Headers[headerReceived].([]any)
		w, _ := way[0].(amqp.Table)
		if len(way) != 1 || w["queue"] != "q" || w["visit-count"] != int64(1) ||
			m.Headers["x-original-routing-key"] != "q" || m.Headers["x-original-exchange"] != "" ||
			m.Headers["x-original-cc"] == nil || m.Headers["CC"] != nil {
			t.Fatalf("%+v", m)
		}
	}
	if len(low) != 0 {
		t.Error("the consumer of a lower priority got one")
	}
}

// TestCircle: three clusters that federate an exchange in a circle each get a message
// once, whatever max-hops says.
func TestCircle(t *testing.T) {
	t.Parallel()
	var sites []*site
	for i := range 3 {
		sites = append(sites, newSite(t, fmt.Sprint("site", i)))
	}
	var got []<-chan amqp.Delivery
	for i, s := range sites {
		c := s.client()
		c.exchange("x", "fanout")
		c.queue("q")
		c.bind("q", "", "x", nil)
		got = append(got, c.consume("q", 0))
		s.upstream("u", sites[(i+2)%3].uri, object{"max-hops": 9})
	}
	for _, s := range sites {
		s.policy("p", "^x$", object{"federation-upstream": "u"})
	}
	for _, s := range sites {
		s.awaitLinks(1, Running)
	}
	for _, s := range sites { // bindings travel all the way, and no further
		s.await("bindings", func() bool { return fromX(s) == 1+2 })
	}
	for i, s := range sites {
		s.client().send("x", "", fmt.Sprint(i), nil)
	}
	for i, s := range sites {
		seen := map[string]int{}
		for range 3 {
			seen[string(s.client().next(got[i]).Body)]++
		}
		if len(seen) != 3 {
			t.Errorf("site %d: %v", i, seen)
		}
	}
	for i := range sites {
		if len(got[i]) != 0 {
			t.Errorf("site %d got more", i)
		}
	}
}

// fromX counts the bindings of x.
func fromX(s *site) (n int) {
	ns, _ := s.Namespace("/")
	for _, b := range ns.Bindings() {
		if b.Source == "x" {
			n++
		}
	}
	return n
}
