package amqp091

import (
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// drain gives what waits in a queue, in its order.
func (c *client) drain(queue string) string {
	c.t.Helper()
	var list []string
	for range c.depth(queue) {
		list = append(list, string(c.take(queue).Body))
	}
	return strings.Join(list, " ")
}

// TestOverflow fills queues with each way to keep a maximum length.
func TestOverflow(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		for _, tt := range []struct {
			name         string
			args         amqp.Table
			acks         string // of six messages, + or -
			kept, buried string
		}{
			{"drop", amqp.Table{"x-max-length": int32(2)}, "++++++", "5 6", "1 2 3 4"},
			{"drop-head", amqp.Table{"x-max-length": int64(2), "x-overflow": "drop-head"},
				"++++++", "5 6", "1 2 3 4"},
			{"bytes", amqp.Table{"x-max-length-bytes": int32(3)}, "++++++", "4 5 6", "1 2 3"},
			{"none", amqp.Table{"x-max-length": int32(0)}, "++++++", "", "1 2 3 4 5 6"},
			{"refuse", amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"},
				"++----", "1 2", ""},
			{"refuse and bury", amqp.Table{"x-max-length": int32(2),
				"x-overflow": "reject-publish-dlx"}, "++----", "1 2", "3 4 5 6"},
			{"both", amqp.Table{"x-max-length": int32(4), "x-max-length-bytes": int32(2),
				"x-overflow": "reject-publish"}, "++----", "1 2", ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c := connect(t, s)
				c.fresh("full.end", nil)
				tt.args["x-dead-letter-exchange"] = ""
				tt.args["x-dead-letter-routing-key"] = "full.end"
				c.fresh("full.src", tt.args)
				acks := ""
				for i := range 6 {
					if c.send("", "full.src", text(fmt.Sprint(i+1))) {
						acks += "+"
					} else {
						acks += "-"
					}
				}
				kept, buried := c.drain("full.src"), ""
				if n := len(strings.Fields(tt.buried)); n > 0 {
					buried = strings.Join(bodies(t, c.eat("full.end", n, nil), n), " ")
				}
				if acks != tt.acks || kept != tt.kept || buried != tt.buried {
					t.Errorf("acks %q, kept %q, buried %q", acks, kept, buried)
				}
				if n := c.depth("full.end"); n != 0 {
					t.Errorf("%d dead letters more", n)
				}
			})
		}
	})
}

// TestTooManyDie tells of a death by maximum length.
func TestTooManyDie(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("many.end", nil)
		c.fresh("many", amqp.Table{
			"x-max-length": int32(1), "x-dead-letter-exchange": "amq.direct",
		})
		c.must(c.QueueBind("many.end", "many", "amq.direct", false, nil))
		c.send("", "many", text("1"))
		c.send("", "many", text("2"))
		list := c.eat("many.end", 1, nil)
		told(t, next(t, list), old, []amqp.Table{{
			"count": int64(1), "reason": "maxlen", "queue": "many", "exchange": "",
			"routing-keys": []any{"many"},
		}}, first("", "many", "maxlen"), last("", "many", "maxlen"))
	})
}

// TestExpiry: the shorter of the times of message and queue counts, and nothing is
// delivered after it.
func TestExpiry(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		for _, tt := range []struct {
			name string
			args amqp.Table
			life string
			told any // as the original expiration
		}{
			{"queue", amqp.Table{"x-message-ttl": int32(5)}, "", nil},
			{"message", amqp.Table{}, "5", "5"},
			{"message first", amqp.Table{"x-message-ttl": int32(600000)}, "5", "5"},
			{"queue first", amqp.Table{"x-message-ttl": int32(5)}, "600000", "600000"},
			{"nothing", amqp.Table{"x-message-ttl": int32(0)}, "", nil},
			{"nothing of its own", amqp.Table{}, "0", "0"},
			{"a sign", amqp.Table{}, "+4", "4"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c := connect(t, s)
				c.fresh("old.end", nil)
				tt.args["x-dead-letter-exchange"] = ""
				tt.args["x-dead-letter-routing-key"] = "old.end"
				c.fresh("old.src", tt.args)
				list := c.eat("old.end", 1, nil)
				if !c.send("", "old.src", amqp.Publishing{Expiration: tt.life}) {
					t.Fatal("refused")
				}
				d := next(t, list)
				got := deaths(t, d)
				if len(got) != 1 || got[0]["reason"] != "expired" || d.Expiration != "" {
					t.Fatalf("%+v", d)
				}
				life := got[0]["original-expiration"]
				if life != tt.told && !(old && life == "+4") {
					t.Errorf("original expiration %v", life)
				}
			})
		}
	})
}

// TestNothingToLive: what may not wait goes to a consumer that is ready.
func TestNothingToLive(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("now", amqp.Table{"x-message-ttl": int32(0)})
		list := c.eat("now", 0, nil)
		c.send("", "now", text("m"))
		if d := next(t, list); string(d.Body) != "m" {
			t.Errorf("%+v", d)
		}
	})
}

func TestPriorities(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("ranks", amqp.Table{"x-max-priority": int32(5)})
		for i, p := range []uint8{0, 1, 5, 9, 1, 200, 0} {
			c.send("", "ranks", amqp.Publishing{Priority: p, Body: []byte(fmt.Sprint(i))})
		}
		c.send("", "ranks", text("none"))
		if got := c.drain("ranks"); got != "2 3 5 1 4 0 6 none" {
			t.Errorf("%s", got)
		}
		c.fresh("flat", nil)
		c.send("", "flat", amqp.Publishing{Body: []byte("a")})
		c.send("", "flat", amqp.Publishing{Body: []byte("b"), Priority: 9})
		if got := c.drain("flat"); got != "a b" {
			t.Errorf("without priorities: %s", got)
		}
	})
}

// TestPriorityOutlivesRetry: a message waits where there are no priorities and
// still has its own when it comes back.
func TestPriorityOutlivesRetry(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("again.ranks", amqp.Table{"x-max-priority": int32(5)})
		c.fresh("again.wait", amqp.Table{
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "again.ranks",
		})
		for i, p := range []uint8{1, 0, 5, 3} {
			c.send("", "again.wait", amqp.Publishing{Priority: p, Body: []byte(fmt.Sprint(i))})
			c.must(c.take("again.wait").Reject(false))
		}
		for c.depth("again.ranks") < 4 { // RabbitMQ takes its time
		}
		if got := c.drain("again.ranks"); got != "2 3 0 1" {
			t.Errorf("%s", got)
		}
	})
}

// TestConsumerPriority: the higher consumer gets all that it can take.
func TestConsumerPriority(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		low, high := connect(t, s), connect(t, s)
		low.fresh("order", nil)
		lows := low.eat("order", 0, amqp.Table{"x-priority": int32(-1)})
		highs := high.eat("order", 2, amqp.Table{"x-priority": int64(1) << 40})
		for i := range 4 {
			low.send("", "order", text(fmt.Sprint(i)))
		}
		if got := bodies(t, highs, 2); fmt.Sprint(got) != "[0 1]" {
			t.Errorf("the high one got %v", got)
		}
		if got := bodies(t, lows, 2); fmt.Sprint(got) != "[2 3]" {
			t.Errorf("the low one got %v", got)
		}
	})
}

// TestSingleActive: the others wait until the active one ends.
func TestSingleActive(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"classic", "quorum"} {
		both(t, func(t *testing.T, s *service, old bool) {
			one, two := connect(t, s), connect(t, s)
			one.fresh("only", amqp.Table{
				"x-single-active-consumer": true, "x-queue-type": kind,
			})
			first := one.eat("only", 1, nil)
			second := two.eat("only", 0, nil)
			for i := range 3 {
				one.send("", "only", text(fmt.Sprint(i)))
			}
			d := next(t, first)
			if n := one.depth("only"); string(d.Body) != "0" || n != 2 {
				t.Fatalf("%s, and %d wait", d.Body, n)
			}
			one.must(one.Channel.Close())
			if got := bodies(t, second, 3); fmt.Sprint(got) != "[0 1 2]" {
				t.Errorf("the second got %v", got)
			}
		})
	}
}

// TestSingleActiveLeaves: what the active one held goes to none that its channel
// takes along, whatever way the channel ends.
func TestSingleActiveLeaves(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		for round := range 8 { // the order of a map would be right in some
			c := connect(t, s)
			c.fresh("leaving", amqp.Table{
				"x-single-active-consumer": true, "x-queue-type": "quorum",
			})
			active := c.eat("leaving", 1, nil)
			var waiting []<-chan amqp.Delivery
			for range 5 {
				waiting = append(waiting, c.eat("leaving", 1, nil))
			}
			c.send("", "leaving", text("held"))
			d := next(t, active)
			switch round % 3 {
			case 0:
				c.must(c.Channel.Close())
			case 1:
				c.must(c.conn.Close())
			case 2:
				gone := c.NotifyClose(make(chan *amqp.Error, 1))
				c.must(c.Ack(d.DeliveryTag+100, false))
				if err := receive(t, gone); err.Code != amqp.PreconditionFailed {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			for i, w := range waiting {
				for d := range w {
					t.Errorf("round %d: waiting consumer %d got %s", round, i, d.Body)
				}
			}
			other := connect(t, s)
			d = next(t, other.eat("leaving", 1, nil))
			if n := d.Headers["x-delivery-count"]; !d.Redelivered || n != int64(1) {
				t.Errorf("round %d: redelivered %t, returned %v times", round, d.Redelivered, n)
			}
			_, err := other.QueueDelete("leaving", false, false, false)
			other.must(err)
		}
	})
}

// TestIdleQueueGoes waits for a queue to expire; while it has a consumer it does
// not.
func TestIdleQueueGoes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		conn, err := dial(t, s, "/")
		if err != nil {
			t.Fatal(err)
		}
		channel := func() *client {
			ch, err := conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			return &client{t, ch, conn}
		}
		missing := func(err error) bool {
			e, ok := err.(*amqp.Error)
			if err != nil && (!ok || e.Code != amqp.NotFound) {
				t.Fatal(err)
			}
			return ok
		}
		c := channel()
		for { // a slow test may find it gone already
			args := amqp.Table{"x-expires": int32(100)}
			c.must(declare("idle", true, false, false, args)(c))
			if err := eat("idle", "tag", false, nil)(c); !missing(err) {
				break
			}
			c = channel()
		}
		c.must(c.Channel.Close())
		for c := channel(); ; { // passive declarations would keep it
			if missing(c.QueueBind("idle", "k", "amq.direct", false, nil)) {
				return
			}
		}
	})
}

// TestArgumentsAlike declares queues again with arguments that are the same as
// RabbitMQ compares them.
func TestArgumentsAlike(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		args := amqp.Table{
			"x-message-ttl": int32(1000), "x-dead-letter-exchange": "x", "x-any": "thing",
			"x-queue-mode": "lazy", "x-queue-version": int32(2),
		}
		c.fresh("alike", args)
		args["x-message-ttl"] = int64(1000)
		args["x-queue-type"] = "classic"
		args["x-any"] = int32(5)
		c.must(declare("alike", true, false, false, args)(c))
		c.fresh("qalike", amqp.Table{
			"x-queue-type": "quorum", "x-delivery-limit": int16(3),
			"x-max-in-memory-length": int32(1), "x-max-in-memory-bytes": int32(1),
			"x-quorum-initial-group-size": int32(1), "x-dead-letter-strategy": "at-least-once",
			"x-queue-leader-locator": "balanced", "x-overflow": "reject-publish",
		})
		c.must(declare("qalike", true, false, false, amqp.Table{
			"x-queue-type": "quorum", "x-delivery-limit": int64(3),
			"x-max-in-memory-length": int8(1), "x-max-in-memory-bytes": int64(1),
			"x-quorum-initial-group-size": int16(1), "x-dead-letter-strategy": "at-least-once",
			"x-queue-leader-locator": "balanced", "x-overflow": "reject-publish",
		})(c))
	})
}

// TestDeclareCounts: a declaration sees what the channel did before.
func TestDeclareCounts(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	c.fresh("count", nil)
	for i := range 100 {
		c.must(c.PublishWithContext(t.Context(), "", "count", false, false, text("m")))
		if n := c.depth("count"); n != i+1 {
			t.Fatalf("%d messages after %d", n, i+1)
		}
	}
}
