package amqp091

import (
	"fmt"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// criterion is what a binding wants and what a message has.
type criterion struct {
	name string
	want wire.Table
	have wire.Table
	met  bool
}

func field(name string, v wire.Value) wire.Field { return wire.Field{Name: name, Value: v} }

func mode(text string) wire.Field { return field("x-match", wire.StringValue(text)) }

func criterions() []criterion {
	text, one := wire.StringValue, wire.Int32Value(1)
	a, b, x := field("a", one), field("b", text("t")), field("x-c", one)
	wide, yes := field("a", wire.Int64Value(1)), field("a", wire.BoolValue(true))
	return []criterion{
		{"nothing wanted", nil, wire.Table{a}, true},
		{"nothing wanted of nothing", wire.Table{mode("all")}, nil, true},
		{"any of nothing", wire.Table{mode("any")}, wire.Table{a}, false},
		{"all", wire.Table{a, b, mode("all")}, wire.Table{b, x, a}, true},
		{"all is what is not said", wire.Table{a, b}, wire.Table{a}, false},
		{"all but one", wire.Table{mode("all"), a, b}, wire.Table{a, field("b", text("u"))}, false},
		{"any", wire.Table{mode("any"), a, b}, wire.Table{field("a", text("1")), b}, true},
		{"none of any", wire.Table{mode("any"), a, b}, wire.Table{field("b", text("u"))}, false},
		{"another width", wire.Table{a}, wire.Table{wide}, true},
		{"an unsigned one", wire.Table{wide}, wire.Table{field("a", wire.Uint8Value(1))}, true},
		{"another number", wire.Table{a}, wire.Table{field("a", wire.Int64Value(2))}, false},
		{"a text is no number", wire.Table{a}, wire.Table{field("a", text("1"))}, false},
		{"a truth is no number", wire.Table{a}, wire.Table{yes}, false},
		{"a float is no whole", wire.Table{a}, wire.Table{field("a", wire.Float64Value(1))}, false},
		{"floats", wire.Table{field("a", wire.Float32Value(1.5))},
			wire.Table{field("a", wire.Float64Value(1.5))}, true},
		{"octets", wire.Table{b}, wire.Table{field("b", wire.BytesValue([]byte("t")))}, true},
		{"presence", wire.Table{field("a", wire.Value{})}, wire.Table{yes}, true},
		{"absence", wire.Table{field("a", wire.Value{})}, wire.Table{b}, false},
		{"a header without a value", wire.Table{a}, wire.Table{field("a", wire.Value{})}, false},
		{"x is not looked at", wire.Table{a, x}, wire.Table{a}, true},
		{"any x is not looked at", wire.Table{mode("any"), x}, wire.Table{x}, false},
		{"all with x", wire.Table{mode("all-with-x"), a, x}, wire.Table{a}, false},
		{"any with x", wire.Table{mode("any-with-x"), a, x}, wire.Table{x}, true},
		{"x-match", wire.Table{mode("any-with-x"), a}, wire.Table{mode("any-with-x")}, false},
		{"the last of one name", wire.Table{a}, wire.Table{yes, wide}, true},
		{"not the first", wire.Table{a}, wire.Table{a, yes}, false},
	}
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	for _, tt := range criterions() {
		t.Run(tt.name, func(t *testing.T) {
			args, err := encodeTable(sorted(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			have, err := encodeTable(tt.have)
			if err != nil {
				t.Fatal(err)
			}
			var h headerSet
			h.fill(fields(have))
			if got := readCriteria(args).met(&h); got != tt.met {
				t.Errorf("%v", got)
			}
		})
	}
}

// FuzzCriteria reads any arguments and headers that were accepted, and compares with
// a search that is slow and simple.
func FuzzCriteria(f *testing.F) {
	for _, tt := range criterions() {
		args, _ := encodeTable(tt.want)
		have, _ := encodeTable(tt.have)
		f.Add(fields(args), fields(have))
	}
	f.Fuzz(func(t *testing.T, args, have []byte) {
		want, err := wire.ParseTable(args)
		if err != nil || checkCriteria(want) != nil {
			return
		}
		table, err := wire.ParseTable(have)
		if err != nil {
			return
		}
		met, how := 0, "all"
		if v, ok := want.Get("x-match"); ok {
			how, _ = v.Text()
		}
		n := 0
		for _, w := range want {
			if w.Name == "x-match" || len(w.Name) > 1 && w.Name[:2] == "x-" && len(how) == 3 {
				continue
			}
			n++
			for _, h := range slices.Backward(table) {
				if h.Name == w.Name {
					if w.Value.IsVoid() || alike(w.Value, h.Value) {
						met++
					}
					break
				}
			}
		}
		expected := met == n
		if how[:3] == "any" {
			expected = met > 0
		}
		encoded, err := encodeTable(want)
		if err != nil {
			t.Fatal(err)
		}
		var h headerSet
		h.fill(have)
		if got := readCriteria(encoded).met(&h); got != expected {
			t.Errorf("%v of %v: %v", table, want, got)
		}
	})
}

// TestCriteriaAreReadOnce routes by headers without allocation, once the arguments of
// the bindings were read.
func TestCriteriaAreReadOnce(t *testing.T) {
	args, err := encodeTable(wire.Table{mode("all-with-x"), field("n", wire.Int64Value(7))})
	if err != nil {
		t.Fatal(err)
	}
	have, err := encodeTable(wire.Table{
		field("z", wire.StringValue("z")), field("n", wire.Int32Value(7)),
		field("x-a", wire.Value{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &leading{props: wire.Properties{Flags: wire.FlagHeaders, Headers: fields(have)}}
	b := broker.Binding{Kind: broker.Matched, Arguments: args, Memo: new(broker.Memo)}
	if n := testing.AllocsPerRun(100, func() {
		if !c.wanted(b) {
			t.Fatal("not wanted")
		}
		c.headers.forget()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if !c.wanted(broker.Binding{Kind: broker.Direct, Arguments: args}) {
		t.Error("arguments mean something to a direct exchange")
	}
}

// TestHeadersExchange is a real client at headers exchanges, also behind another one,
// and with copies.
func TestHeadersExchange(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for _, name := range []string{"all", "any", "behind"} {
		c.queue(name)
	}
	c.must(exchange("in", "fanout", true, false, false, nil)(c))
	c.must(c.QueueBind("all", "", "amq.match", false, amqp.Table{
		"x-match": "all", "type": "a", "n": int64(3), "when": time.Unix(1700000000, 0),
	}))
	c.must(c.QueueBind("any", "ignored", "amq.match", false, amqp.Table{
		"x-match": "any", "type": "a", "n": 4,
	}))
	c.must(c.ExchangeBind("amq.headers", "", "in", false, nil))
	c.must(c.QueueBind("behind", "", "amq.headers", false, amqp.Table{"type": "b"}))
	c.must(c.Confirm(false))
	publish := func(exchange string, headers amqp.Table) {
		c.confirmed(exchange, "", amqp.Publishing{Headers: headers})
	}
	publish("amq.match", amqp.Table{"type": "a", "n": int32(3), "when": time.Unix(1700000000, 0)})
	publish("amq.match", amqp.Table{"type": "a", "n": int32(3)})
	publish("amq.match", amqp.Table{"type": "b", "n": int64(4)})
	publish("amq.match", nil)
	publish("in", amqp.Table{"type": "b"})
	publish("in", amqp.Table{"type": "a"})
	c.counts(map[string]int{"all": 1, "any": 3, "behind": 1})
	c.must(c.QueueUnbind("any", "ignored", "amq.match", amqp.Table{
		"n": 4, "type": "a", "x-match": "any",
	}))
	publish("amq.match", amqp.Table{"type": "a"})
	c.counts(map[string]int{"all": 1, "any": 3, "behind": 1})
}

// confirmed publishes with mandatory, in confirm mode, and waits for the confirm.
func (c *client) confirmed(exchange, key string, p amqp.Publishing) {
	c.t.Helper()
	ctx := c.t.Context()
	d, err := c.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, p)
	c.must(err)
	if ok, err := d.WaitContext(ctx); !ok || err != nil {
		c.t.Fatal(ok, err)
	}
}

// counts compares the messages of queues.
func (c *client) counts(want map[string]int) {
	c.t.Helper()
	for name, n := range want {
		q, err := c.QueueDeclarePassive(name, false, false, false, false, nil)
		c.must(err)
		if q.Messages != n {
			c.t.Errorf("queue %s has %d messages, want %d", name, q.Messages, n)
		}
	}
}

// BenchmarkHeaders routes one message over a hundred bindings with two arguments.
func BenchmarkHeaders(b *testing.B) {
	have, err := encodeTable(wire.Table{
		field("type", wire.StringValue("order")), field("n", wire.Int32Value(99)),
		field("other", wire.StringValue("x")),
	})
	if err != nil {
		b.Fatal(err)
	}
	c := &leading{props: wire.Properties{Flags: wire.FlagHeaders, Headers: fields(have)}}
	var list []broker.Binding
	for i := range 100 {
		args, err := encodeTable(wire.Table{
			field("type", wire.StringValue("order")), field("n", wire.Int32Value(int32(i))),
		})
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, broker.Binding{
			Queue: fmt.Sprint(i), Kind: broker.Matched, Arguments: args, Memo: new(broker.Memo),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		met := 0
		for i := range list {
			if c.wanted(list[i]) {
				met++
			}
		}
		if c.headers.forget(); met != 1 {
			b.Fatal(met)
		}
	}
}
