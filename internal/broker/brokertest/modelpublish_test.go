package brokertest

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

func (m *machine) publish(rt *rapid.T) {
	_, c := m.session(rt)
	name, q := m.queue(rt)
	like := broker.Message{
		Key: name, Durable: rapid.Bool().Draw(rt, "persistent"),
		Priority: uint8(rapid.IntRange(0, 3).Draw(rt, "priority")),
	}
	switch rapid.IntRange(0, 5).Draw(rt, "time") {
	case 0:
		like.Expiry = broker.AtMost(int64(rapid.IntRange(1, 30).Draw(rt, "expiry")) * 1000)
	case 1:
		if !q.limits.Expiry.Set {
			like.Delay = broker.AtMost(int64(rapid.IntRange(1, 30).Draw(rt, "delay")) * 1000)
		}
	}
	var texts []string
	for range rapid.IntRange(1, 40).Draw(rt, "messages") {
		m.count++
		texts = append(texts, fmt.Sprint(m.count, strings.Repeat(".", m.count%7*30)))
	}
	err := c.SendLike(like, texts...)
	if m.locked {
		if fault.KindOf(err) != fault.KeyUnavailable {
			rt.Fatalf("publish while locked: %v", err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	for i, text := range texts {
		x := &modelMessage{
			text: text, number: m.count - len(texts) + i + 1, priority: like.Priority,
			durable: like.Durable && q.durable,
		}
		life := q.limits.Expiry
		if like.Expiry.Set && (!life.Set || like.Expiry.N < life.N) {
			life = like.Expiry
		}
		if life.Set {
			x.expires = m.now() + life.N
		}
		if x.due = m.now() + like.Delay.N; like.Delay.Set {
			q.delay(x)
		} else {
			q.add(x)
		}
	}
}
