package amqp091

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// deaths gives the x-death of a message without the times, which must be now.
func deaths(t *testing.T, d amqp.Delivery) (list []amqp.Table) {
	t.Helper()
	array, _ := d.Headers["x-death"].([]any)
	for _, v := range array {
		death, ok := v.(amqp.Table)
		if !ok {
			t.Fatalf("a death is %T", v)
		}
		at, ok := death["time"].(time.Time)
		if since := time.Since(at); !ok || since < -time.Minute || since > time.Hour {
			t.Errorf("time of death %v", death["time"])
		}
		delete(death, "time")
		list = append(list, death)
	}
	return list
}

// last gives what RabbitMQ 4 tells of the last death.
func last(exchange, queue, reason string) amqp.Table {
	return amqp.Table{
		"x-last-death-exchange": exchange, "x-last-death-queue": queue,
		"x-last-death-reason": reason,
	}
}

// told compares the headers of a dead message: its deaths and the others.
func told(t *testing.T, d amqp.Delivery, old bool, list []amqp.Table, others ...amqp.Table) {
	t.Helper()
	if got := deaths(t, d); !reflect.DeepEqual(got, list) {
		t.Errorf("x-death %v, want %v", got, list)
	}
	want := amqp.Table{}
	for _, o := range others {
		for k, v := range o {
			if !old || !strings.HasPrefix(k, "x-last-death-") {
				want[k] = v
			}
		}
	}
	delete(d.Headers, "x-death")
	if !reflect.DeepEqual(d.Headers, want) {
		t.Errorf("headers %v, want %v", d.Headers, want)
	}
}

func first(exchange, queue, reason string) amqp.Table {
	return amqp.Table{
		"x-first-death-exchange": exchange, "x-first-death-queue": queue,
		"x-first-death-reason": reason,
	}
}

func TestRejectedDeadLetter(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("dead.end", nil)
		c.fresh("dead.copy", nil)
		c.fresh("dead.src", amqp.Table{
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead.end",
		})
		p := amqp.Publishing{
			Body: []byte("m"), Expiration: "600000", Priority: 3, DeliveryMode: 2,
			MessageId: "id", Headers: amqp.Table{
				"z": "kept", "CC": []any{"dead.copy"}, "BCC": []any{"nobody", "nowhere"},
			},
		}
		if !c.send("", "dead.src", p) {
			t.Fatal("refused")
		}
		c.must(c.take("dead.src").Reject(false))
		d := next(t, c.eat("dead.end", 1, nil))
		if string(d.Body) != "m" || d.Expiration != "" || d.Priority != 3 || d.MessageId != "id" ||
			d.DeliveryMode != 2 || d.RoutingKey != "dead.end" || d.Exchange != "" ||
			d.Redelivered {
			t.Errorf("%+v", d)
		}
		kept := amqp.Table{"z": "kept", "CC": []any{"dead.copy"}}
		if old {
			delete(kept, "CC") // since 3.13 it stays
		}
		told(t, d, old, []amqp.Table{{
			"count": int64(1), "reason": "rejected", "queue": "dead.src", "exchange": "",
			"routing-keys":        []any{"dead.src", "dead.copy"},
			"original-expiration": "600000",
		}}, first("", "dead.src", "rejected"), last("", "dead.src", "rejected"), kept)
		// The copy lives, with its expiration.
		if d := c.take("dead.copy"); d.Expiration != "600000" || d.Headers["x-death"] != nil {
			t.Errorf("the copy: %+v", d)
		}
	})
}

// TestRetryByExpiry is the pattern of delayed retry: a queue of work, whose dead
// letters wait in another one and come back.
func TestRetryByExpiry(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("retry.work", amqp.Table{
			"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": "later",
		})
		c.fresh("retry.wait", amqp.Table{
			"x-message-ttl": int32(1), "x-dead-letter-exchange": "",
			"x-dead-letter-routing-key": "retry.work",
		})
		c.must(c.QueueBind("retry.wait", "later", "amq.direct", false, nil))
		c.must(c.QueueBind("retry.work", "task", "amq.fanout", false, nil))
		work := c.eat("retry.work", 1, nil)
		c.send("amq.fanout", "task", text("m"))
		for range 2 {
			c.must(next(t, work).Reject(false))
		}
		d := next(t, work)
		told(t, d, old, []amqp.Table{
			{
				"count": int64(2), "reason": "expired", "queue": "retry.wait",
				"exchange": "amq.direct", "routing-keys": []any{"later"},
			},
			{
				"count": int64(2), "reason": "rejected", "queue": "retry.work",
				"exchange": "amq.fanout", "routing-keys": []any{"task"},
			},
		}, first("amq.fanout", "retry.work", "rejected"),
			last("amq.direct", "retry.wait", "expired"))
		c.must(d.Reject(false))
		d = next(t, work)
		if got := deaths(t, d); len(got) != 2 || got[1]["exchange"] != "amq.fanout" {
			t.Errorf("%v", got)
		}
		c.must(d.Ack(false))
	})
}

// TestLastExchange: a death counts with the first of its kind and keeps its
// exchange; the header tells the present one.
func TestLastExchange(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("again", amqp.Table{
			"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": "again",
		})
		c.must(c.QueueBind("again", "again", "amq.direct", false, nil))
		c.send("", "again", text("m"))
		list := c.eat("again", 1, nil)
		for range 2 {
			c.must(next(t, list).Nack(false, false))
		}
		told(t, next(t, list), old, []amqp.Table{{
			"count": int64(2), "reason": "rejected", "queue": "again", "exchange": "",
			"routing-keys": []any{"again"},
		}}, first("", "again", "rejected"), last("amq.direct", "again", "rejected"))
	})
}

// TestDeadCopies: without a key of its own a queue sends its dead where all keys
// of the message lead, those that nobody sees too.
func TestDeadCopies(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("copies.src", amqp.Table{"x-dead-letter-exchange": "amq.direct"})
		for _, k := range []string{"key", "cc", "bcc"} {
			c.fresh("copies."+k, nil)
			c.must(c.QueueBind("copies."+k, "copies."+k, "amq.direct", false, nil))
		}
		c.must(c.QueueBind("copies.src", "copies.key", "amq.fanout", false, nil))
		c.send("amq.fanout", "copies.key", amqp.Publishing{Headers: amqp.Table{
			"CC": []any{"copies.cc", "copies.cc", int32(5)}, "BCC": []any{"copies.bcc"},
		}})
		c.must(c.take("copies.src").Reject(false))
		for _, k := range []string{"key", "cc", "bcc"} {
			d := next(t, c.eat("copies."+k, 0, nil))
			told(t, d, old, []amqp.Table{{
				"count": int64(1), "reason": "rejected", "queue": "copies.src",
				"exchange":     "amq.fanout",
				"routing-keys": []any{"copies.key", "copies.cc", "copies.cc"},
			}}, first("amq.fanout", "copies.src", "rejected"),
				last("amq.fanout", "copies.src", "rejected"),
				amqp.Table{"CC": []any{"copies.cc", "copies.cc", int32(5)}})
			if d.RoutingKey != "copies.key" {
				t.Errorf("%s came by %q", k, d.RoutingKey)
			}
			if n := c.depth("copies." + k); n != 0 {
				t.Errorf("%d more in %s", n, k)
			}
		}
	})
}

// TestClaimedDeaths: what a client says of deaths gives way to what the broker
// knows, and is passed on while there is nothing.
func TestClaimedDeaths(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	c.fresh("claim.end", nil)
	c.fresh("claim", amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "claim.end",
	})
	claim := amqp.Table{"x-death": "never", "x-last-death-queue": int32(1), "b": true, "a": true}
	c.send("", "claim", amqp.Publishing{Headers: claim})
	d := c.take("claim")
	if !reflect.DeepEqual(d.Headers, claim) {
		t.Errorf("%v", d.Headers)
	}
	c.must(d.Reject(false))
	told(t, c.take("claim.end"), false, []amqp.Table{{
		"count": int64(1), "reason": "rejected", "queue": "claim", "exchange": "",
		"routing-keys": []any{"claim"},
	}}, first("", "claim", "rejected"), last("", "claim", "rejected"),
		amqp.Table{"a": true, "b": true})
}

// TestDeathHeader holds the order of fields and headers and their types, octet for
// octet, and that a small frame gets less of the history.
func TestDeathHeader(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 999_000_000)
	h := broker.History{}.With(broker.Death{
		Queue: "q", Reason: broker.TooMany, Time: at, Address: "x", Key: "k", Copies: true,
		Lifetime: 1500 * time.Millisecond,
	})
	props := wire.Properties{Flags: wire.FlagExpiration, Expiration: []byte("1500")}
	if err := props.SetHeaderTable(wire.Table{
		{Name: "z", Value: wire.BoolValue(true)},
		{Name: "CC", Value: wire.ArrayValue(wire.StringValue("c"))},
	}); err != nil {
		t.Fatal(err)
	}
	header, err := props.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	death := wire.TableValue(wire.Table{
		{Name: "original-expiration", Value: wire.StringValue("1500")},
		{Name: "count", Value: wire.Int64Value(1)},
		{Name: "reason", Value: wire.StringValue("maxlen")},
		{Name: "queue", Value: wire.StringValue("q")},
		{Name: "time", Value: wire.TimestampValue(1_700_000_000)},
		{Name: "exchange", Value: wire.StringValue("x")},
		{Name: "routing-keys", Value: wire.ArrayValue(
			wire.StringValue("k"), wire.StringValue("c"))},
	})
	var want wire.Properties
	if err := want.SetHeaderTable(wire.Table{
		{Name: "CC", Value: wire.ArrayValue(wire.StringValue("c"))},
		{Name: "x-death", Value: wire.ArrayValue(death)},
		{Name: "x-first-death-exchange", Value: wire.StringValue("x")},
		{Name: "x-first-death-queue", Value: wire.StringValue("q")},
		{Name: "x-first-death-reason", Value: wire.StringValue("maxlen")},
		{Name: "x-last-death-exchange", Value: wire.StringValue("x")},
		{Name: "x-last-death-queue", Value: wire.StringValue("q")},
		{Name: "x-last-death-reason", Value: wire.StringValue("maxlen")},
		{Name: "z", Value: wire.BoolValue(true)},
	}); err != nil {
		t.Fatal(err)
	}
	octets, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &broker.Delivery{History: &h}
	if got := annotated(d, header, wire.DefaultFrameMax); string(got) != string(octets) {
		t.Errorf("%q, want %q", got, octets)
	}
	for range 60 {
		h = h.With(broker.Death{Queue: strings.Repeat("q", len(h.Deaths)+100)})
	}
	small := annotated(d, header, wire.FrameMinSize)
	if len(small)+headerRoom > wire.FrameMinSize || len(small) < wire.FrameMinSize/4 {
		t.Errorf("%d octets for a frame of %d", len(small), wire.FrameMinSize)
	}
	if all := annotated(d, header, wire.DefaultFrameMax); len(all) < 2*wire.FrameMinSize {
		t.Errorf("%d octets of a long history", len(all))
	}
}

// TestDeathsTellFewKeys holds that each death tells no more further keys than there
// can be that lead: a header may have a hundred times as many.
func TestDeathsTellFewKeys(t *testing.T) {
	t.Parallel()
	keys := slices.Repeat([]wire.Value{wire.StringValue("")}, 10*broker.MaxCopies)
	headers := wire.Table{{Name: "CC", Value: wire.ArrayValue(keys...)}}
	if n := len(copiesOf(headers)); n != broker.MaxCopies {
		t.Errorf("%d keys", n)
	}
}
