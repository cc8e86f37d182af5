package rabbitmq

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
)

// TestLimits: what arguments, a policy and an operator policy make of a queue.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ own, policy, operator, want string }{
		"nothing":  {`{}`, ``, ``, ``},
		"own":      {`{"max-length":5}`, ``, ``, `length 5`},
		"policy":   {`{}`, `{"max-length":5,"message-ttl":0}`, ``, `length 5 ttl 0`},
		"lesser":   {`{"max-length":5}`, `{"max-length":7}`, ``, `length 5`},
		"lesser 2": {`{"max-length":7}`, `{"max-length":5}`, ``, `length 5`},
		"operator": {`{"expires":9}`, `{"expires":8}`, `{"expires":7}`, `idle 7`},
		"operator does not widen": {`{}`, `{"max-length-bytes":8}`,
			`{"max-length-bytes":9}`, `bytes 8`},
		"operator alone": {`{}`, ``, `{"max-length":3}`, `length 3`},
		"overflow":       {`{}`, `{"overflow":"reject-publish"}`, ``, `refuse`},
		"overflow of arguments": {`{"overflow":"drop-head"}`, `{"overflow":"reject-publish"}`,
			``, ``},
		"overflow of a quorum queue": {`{"type":"quorum","overflow":"drop-head"}`,
			`{"overflow":"reject-publish"}`, ``, `refuse deliveries 20`},
		"overflow unknown to a quorum queue": {`{"type":"quorum"}`,
			`{"overflow":"reject-publish-dlx"}`, ``, `deliveries 20`},
		"dead letters": {`{}`,
			`{"dead-letter-exchange":"x","dead-letter-routing-key":"k"}`, ``, `dead x k`},
		"dead letters of arguments": {`{"dead-letter-exchange":"y"}`,
			`{"dead-letter-exchange":"x","dead-letter-routing-key":"k"}`, ``, `dead y k`},
		"dead key alone": {`{}`, `{"dead-letter-routing-key":"k"}`, ``, ``},
		"delivery limit": {`{"type":"quorum"}`, `{"delivery-limit":50}`, ``, `deliveries 50`},
		"delivery limits": {`{"type":"quorum","delivery-limit":5}`, `{"delivery-limit":50}`, ``,
			`deliveries 5`},
		"no delivery limit": {`{"type":"quorum","delivery-limit":5}`, `{"delivery-limit":-1}`, ``,
			`deliveries 5`},
		"none at all": {`{"type":"quorum","delivery-limit":-1}`, `{"delivery-limit":-1}`, ``,
			fmt.Sprint("deliveries ", math.MaxInt64)},
		"a policy with what the type lacks": {`{}`, `{"delivery-limit":5,"max-length":1}`, ``, ``},
		"long time": {`{}`, `{"message-ttl":9223372036854775807}`, ``,
			`ttl 315360000000`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState()
			for i, text := range []string{c.policy, c.operator} {
				if text == "" {
					continue
				}
				r := policyRow{Vhost: "/", Name: "p", ApplyTo: "all", Definition: []byte(text)}
				p, err := r.policy(i == 1)
				must(t, err)
				s.policies[p.key()] = p
			}
			s.rank("/")
			got := limitText(s.limits("/", "q", toyDialect{}.Shape([]byte(c.own))))
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func limitText(l broker.Limits) string {
	var out []string
	for _, b := range []struct {
		name string
		broker.Bound
	}{{"length", l.MaxLength}, {"bytes", l.MaxBytes}, {"ttl", l.Expiry}, {"idle", l.Idle}} {
		if b.Set {
			out = append(out, fmt.Sprint(b.name, " ", b.N))
		}
	}
	if l.Overflow == broker.RefusePublish {
		out = append(out, "refuse")
	}
	if l.Dead.Set {
		out = append(out, strings.TrimSpace("dead "+l.Dead.Address+" "+l.Dead.Key))
	}
	if l.Deliveries.Set {
		out = append(out, fmt.Sprint("deliveries ", l.Deliveries.N))
	}
	return strings.Join(out, " ")
}

// TestApplies: which policy counts.
func TestApplies(t *testing.T) {
	t.Parallel()
	s := newState()
	for name, r := range map[string]policyRow{
		"low":      {Pattern: "^q", ApplyTo: "all", Priority: -1},
		"b":        {Pattern: "^q1", ApplyTo: "queues", Priority: 5},
		"a":        {Pattern: "q1$", ApplyTo: "queues", Priority: 5},
		"x":        {Pattern: ".*", ApplyTo: "exchanges", Priority: 9},
		"classic":  {Pattern: "^c", ApplyTo: "classic_queues"},
		"quorum":   {Pattern: "^c", ApplyTo: "quorum_queues"},
		"stream":   {Pattern: "^c", ApplyTo: "streams"},
		"anywhere": {Pattern: "mid", ApplyTo: "queues"},
	} {
		r.Vhost, r.Name, r.Definition = "/", name, []byte(`{"x":1}`)
		p, err := r.policy(false)
		must(t, err)
		s.policies[p.key()] = p
	}
	s.rank("/")
	for _, c := range []struct{ kind, name, want string }{
		{KindClassic, "q", "low"}, {KindClassic, "q1", "a"}, {KindQuorum, "q12", "b"},
		{KindExchange, "q1", "x"}, {KindClassic, "c", "classic"}, {KindQuorum, "c", "quorum"},
		{KindStream, "c", "stream"}, {KindClassic, "amidst", "anywhere"}, {KindClassic, "z", ""},
	} {
		got := ""
		if p := s.best("/", c.kind, c.name, false); p != nil {
			got = p.row.Name
		}
		if got != c.want {
			t.Errorf("%s %q: %q, want %q", c.kind, c.name, got, c.want)
		}
	}
}

// declared makes a queue as a door does.
func declared(t *testing.T, b *Broker, vhost, name, arguments string) *broker.Queue {
	t.Helper()
	ns, ok := b.Namespace(vhost)
	if !ok {
		t.Fatalf("no vhost %s", vhost)
	}
	spec := broker.QueueSpec{
		Name: name, Durable: true, Arguments: []byte(arguments),
		Limits: b.Limit(vhost, name, []byte(arguments)),
	}
	q, _, err := ns.DeclareQueue(t.Context(), nil, spec)
	must(t, err)
	must(t, b.Conform(t.Context(), vhost, q))
	return q
}

// TestPolicyFollowed: queues and exchanges that are there follow a change of policies at
// once, and those that are declared later; all of it is so after a restart.
func TestPolicyFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, b := opened(t, w)
	ctx := t.Context()
	ns, _ := b.Namespace("/")
	for _, name := range []string{"x1", "x2"} {
		own := map[string]string{"x2": `{"alternate-exchange":"mine"}`}[name]
		_, _, err := ns.DeclareAddress(ctx, broker.Address{Name: name, Kind: broker.Fanout,
			Durable: true, Arguments: []byte(own), Alternate: toyDialect{}.Alternate([]byte(own))})
		must(t, err)
	}
	for i := range 2*reshapeStep + 1 {
		declared(t, b, "/", fmt.Sprint("many-", i), "")
	}
	queues := map[string]*broker.Queue{
		"first": declared(t, b, "/", "first", ""),
		"own":   declared(t, b, "/", "own", `{"max-length":3}`),
		"other": declared(t, b, "/", "zzz", ""),
	}
	put := func(p Policy) {
		t.Helper()
		p.Vhost = "/"
		_, err := b.PutPolicy(ctx, p)
		must(t, err)
	}
	see := func(want map[string]string) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if got := limitText(queues[name].Limits()); got != want[name] {
				t.Errorf("%s: %q, want %q", name, got, want[name])
			}
		}
	}
	put(Policy{Name: "p", Pattern: "^(first|own|late|many)",
		Definition: object(`{"max-length":5}`)})
	queues["late"] = declared(t, b, "/", "late", "")
	queues["many"] = declared(t, b, "/", fmt.Sprint("many-", 2*reshapeStep), "")
	see(map[string]string{"first": "length 5", "own": "length 3", "other": "", "late": "length 5",
		"many": "length 5"})
	put(Policy{Name: "x", Pattern: "^x", ApplyTo: "exchanges",
		Definition: object(`{"alternate-exchange":"theirs"}`)})
	alternates(t, ns, "theirs", "mine")
	put(Policy{Name: "o", Pattern: "first", Definition: object(`{"max-length":1}`),
		Operator: true})
	see(map[string]string{"first": "length 1"})
	must(t, b.DeletePolicy(ctx, false, "/", "p"))
	see(map[string]string{"first": "length 1", "own": "length 3", "late": "", "many": ""})
	must(t, b.DeletePolicy(ctx, true, "/", "o"))
	must(t, b.DeletePolicy(ctx, false, "/", "x"))
	see(map[string]string{"first": ""})
	alternates(t, ns, "", "mine")

	// A crash between a change and what follows it: as if the row alone were there.
	put(Policy{Name: "p", Pattern: "^first", Definition: object(`{"max-length":9}`)})
	must(t, ns.SetLimits(ctx, queues["first"], broker.Limits{}))
	_, err := w.eng.Open(ctx, id, w.domain(t, id))
	must(t, err)
	see(map[string]string{"first": "length 9", "own": "length 3"})
}

func alternates(t *testing.T, ns *broker.Namespace, x1, x2 string) {
	t.Helper()
	for name, want := range map[string]string{"x1": x1, "x2": x2} {
		if a, ok := ns.Topology().Address(name); !ok || a.Alternate != want {
			t.Errorf("%s goes on to %q, want %q", name, a.Alternate, want)
		}
	}
}

// TestPolicyRace: a queue that is declared while policies change follows the last.
func TestPolicyRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		defer close(done)
		for i := 1; ctx.Err() == nil; i++ {
			if _, err := b.PutPolicy(context.WithoutCancel(ctx), Policy{Vhost: "/", Name: "p",
				Definition: map[string]any{"max-length": i}}); err != nil {
				done <- err
				return
			}
		}
	}()
	var queues []*broker.Queue
	for i := range 64 {
		queues = append(queues, declared(t, b, "/", fmt.Sprint("q", i), ""))
	}
	cancel()
	must(t, <-done)
	want := b.Limit("/", "q", nil)
	for _, q := range queues {
		if q.Limits() != want {
			t.Errorf("%s: %s, want %s", q.Spec().Name, limitText(q.Limits()), limitText(want))
		}
	}
}

// TestPolicyConsumerTimeout: the policy that counts for a queue names the time.
func TestPolicyConsumerTimeout(t *testing.T) {
	t.Parallel()
	_, b := opened(t, newWorld(t))
	for pattern, ms := range map[string]int{"^slow": 9000, "^slower": 60_000} {
		_, err := b.PutPolicy(t.Context(), Policy{Vhost: "/", Name: pattern, Pattern: pattern,
			Priority: ms, Definition: map[string]any{"consumer-timeout": ms}})
		must(t, err)
	}
	for queue, want := range map[string]time.Duration{
		"slow": 9 * time.Second, "slower": time.Minute, "other": 0,
	} {
		if d, ok := b.ConsumerTimeout("/", queue, nil); ok != (want > 0) || d != want {
			t.Errorf("%s: %v, %t", queue, d, ok)
		}
	}
}
