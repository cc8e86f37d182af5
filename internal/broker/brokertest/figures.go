package brokertest

import (
	"fmt"
	"strings"

	"coffer/internal/broker"
)

// figuresOf tells what is not zero of what a queue counts and holds.
func figuresOf(q *broker.Queue) string {
	s := q.Stats()
	var b strings.Builder
	add := func(name string, n int64) {
		if n != 0 {
			fmt.Fprintf(&b, "%d %s ", n, name)
		}
	}
	add("published", s.Published)
	add("delivered", s.Delivered)
	add("auto", s.DeliveredAuto)
	add("got", s.Got)
	add("got-auto", s.GotAuto)
	add("empty", s.Empty)
	add("redelivered", s.Redelivered)
	add("accepted", s.Accepted)
	add("rejected", s.Died[broker.Rejected])
	add("expired", s.Died[broker.Expired])
	add("dropped", s.Died[broker.TooMany])
	add("limited", s.Died[broker.DeliveryLimit])
	add("bytes", s.Bytes)
	add("ready", s.ReadyBytes)
	add("on-disk", s.OnDisk)
	add("on-disk-bytes", s.OnDiskBytes)
	add("durable", s.Durable)
	add("durable-bytes", s.DurableBytes)
	if s.Able > 0 {
		fmt.Fprintf(&b, "able %v", s.Able)
	}
	return strings.TrimSpace(b.String())
}

// headOf tells for how long the first message has waited, in domain time, and when
// something changed, as long before now.
func (p *player) headOf(q *broker.Queue) string {
	s, head := q.Stats(), "-"
	if !s.HeadSince.IsZero() {
		head = p.clock.Now().Sub(s.HeadSince).String()
	}
	return head + " " + p.clock.Now().Sub(s.ChangedAt).String()
}
