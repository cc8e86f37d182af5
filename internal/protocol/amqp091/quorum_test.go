package amqp091

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestDeliveryLimit: a message that comes back too often is dead, and tells how
// often it came back.
func TestDeliveryLimit(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("limit.end", nil)
		c.fresh("limit", amqp.Table{
			"x-queue-type": "quorum", "x-delivery-limit": int32(2),
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "limit.end",
		})
		c.send("", "limit", text("m"))
		list := c.eat("limit", 1, nil)
		for i := range 3 {
			d := next(t, list)
			count, there := d.Headers["x-delivery-count"]
			if d.Redelivered != (i > 0) || there != (i > 0) || there && count != int64(i) {
				t.Errorf("delivery %d: %v, redelivered %v", i, count, d.Redelivered)
			}
			c.must(d.Nack(false, true))
		}
		d := next(t, c.eat("limit.end", 1, nil))
		told(t, d, old, []amqp.Table{{
			"count": int64(1), "reason": "delivery_limit", "queue": "limit", "exchange": "",
			"routing-keys": []any{"limit"},
		}}, first("", "limit", "delivery_limit"), last("", "limit", "delivery_limit"))
	})
}

// TestDefaultLimit: twenty returns are forgiven, unless the queue has no limit.
func TestDefaultLimit(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	for _, args := range []amqp.Table{{}, {"x-delivery-limit": int32(-1)}} {
		args["x-queue-type"] = "quorum"
		c.fresh("twenty", args)
		c.send("", "twenty", text("m"))
		for i := range 21 {
			d := c.take("twenty")
			if n := d.Headers["x-delivery-count"]; i > 0 && n != int64(i) {
				t.Errorf("delivery %d: %v", i, n)
			}
			c.must(d.Reject(true))
		}
		_, unlimited := args["x-delivery-limit"]
		if n := c.depth("twenty"); (n == 1) != unlimited {
			t.Errorf("%v: %d messages are left", args, n)
		}
	}
}

// TestClassicForgets: classic queues count nothing.
func TestClassicForgets(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("forget", nil)
		c.send("", "forget", text("m"))
		for i := range 30 {
			d := c.take("forget")
			if d.Headers != nil || d.Redelivered != (i > 0) {
				t.Fatalf("%+v", d)
			}
			c.must(d.Reject(true))
		}
	})
}

// TestRequeuePlace: what comes back stands where it stood.
func TestRequeuePlace(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *service, old bool) {
		c := connect(t, s)
		c.fresh("place", nil)
		for i := range 5 {
			c.send("", "place", text(fmt.Sprint(i)))
		}
		var list []amqp.Delivery
		for range 4 {
			list = append(list, c.take("place"))
		}
		c.must(list[2].Reject(true))
		c.must(list[0].Reject(true))
		c.must(list[3].Nack(false, true))
		if old { // requeueing is overtaken by a consumer there
			for c.depth("place") < 4 {
			}
		}
		if got := bodies(t, c.eat("place", 0, nil), 4); fmt.Sprint(got) != "[0 2 3 4]" {
			t.Errorf("%v", got)
		}
	})
}
