package brokertest

import (
	"slices"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

func (m *machine) restart(rt *rapid.T) { m.again(rt, false) }
func (m *machine) crash(rt *rapid.T)   { m.again(rt, true) }

// again ends the process in an orderly way or not; what is durable stays. Held
// messages come back marked: all sessions are gone.
func (m *machine) again(rt *rapid.T, crash bool) {
	if crash {
		image := m.engine.Image()
		m.forgetTransient()
		m.stop(rt)
		m.engine = image()
	} else {
		m.end(rt)
		m.stop(rt)
		m.forgetTransient()
		m.engine = m.engine.Image()()
	}
	m.start(m.world.Domain)
}

// torn crashes while nothing becomes durable: what was published or settled
// meanwhile never happened, and nobody was told or given anything of it.
func (m *machine) torn(rt *rapid.T) {
	if m.locked {
		return
	}
	s, c := m.session(rt)
	name, q := m.queue(rt)
	if !q.durable {
		return
	}
	release := m.engine.Hold()
	defer release()
	x, err := m.world.Message("", name, "never", true)
	if err != nil {
		rt.Fatal(err)
	}
	targets := []*broker.Queue{m.world.Queue(name)}
	err = c.Publish(m.tt.Context(), []broker.Publishing{
		{Message: x, Targets: targets, Tag: 1, Confirm: true},
	})
	if err != nil {
		rt.Fatal(err)
	}
	for _, h := range m.held[s] {
		c.Settle([]broker.Settlement{{Ref: h.delivery.Ref, Outcome: broker.Accept}})
	}
	// A transient answer of the owner shows that it has seen all this.
	if _, err := c.Consume(m.tt.Context(), broker.ConsumerSpec{
		Queue: m.world.Queue("temporary"),
	}); err != nil {
		rt.Fatal(err)
	}
	for other, oc := range m.sessions {
		oc.poll()
		for _, e := range oc.events {
			if e.Kind == broker.Cancelled {
				continue
			}
			if e.Kind == broker.Delivered && m.needsNothing(e.Delivery) {
				continue
			}
			rt.Fatalf("session %s got event %d of what is not durable", other, e.Kind)
		}
	}
	image := m.engine.Image()
	release()
	m.forgetTransient()
	m.stop(rt)
	m.engine = image()
	m.start(m.world.Domain)
}

// forgetTransient leaves what survives. All up to the mark is redelivered.
func (m *machine) forgetTransient() {
	for _, q := range m.queues {
		transient := func(x *modelMessage) bool { return !x.durable }
		q.messages = slices.DeleteFunc(q.messages, transient)
		q.delayed = slices.DeleteFunc(q.delayed, transient)
		for _, x := range q.messages {
			x.redelivered = q.seen(x)
			x.holder = ""
		}
	}
	clear(m.held)
}

// needsNothing reports whether a delivery rests on what was durable before: its
// message is transient, in whatever queue it has died, or was delivered once
// already.
func (m *machine) needsNothing(d broker.Delivery) bool {
	text, err := m.world.Text(&d)
	if err != nil {
		return false
	}
	for _, q := range m.queues {
		for _, x := range q.messages {
			if x.text == text {
				return !x.durable || q.seen(x)
			}
		}
	}
	return false
}
