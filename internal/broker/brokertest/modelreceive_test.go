package brokertest

import (
	"slices"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

// receiveAll takes what has been pushed. What comes from a loose queue may be
// there before the model knows, because others have not told yet why.
func (m *machine) receiveAll(rt *rapid.T) (moved bool) {
	for s, c := range m.sessions {
		for _, d := range c.Pending() {
			if m.queues[m.byRef[d.Consumer].queue].loose {
				m.early = append(m.early, early{s, d})
				continue
			}
			moved = true
			m.receive(rt, s, d)
		}
	}
	for m.pruneAll() {
	}
	list := m.early
	m.early = nil
	for _, x := range list {
		text, err := m.world.Text(&x.delivery)
		if err != nil {
			rt.Fatal(err)
		}
		q := m.queues[m.byRef[x.delivery.Consumer].queue]
		if q.has(text) {
			moved = true
			m.receive(rt, x.session, x.delivery)
		} else {
			m.early = append(m.early, x)
		}
	}
	return moved
}

// early is a delivery that the model does not understand yet.
type early struct {
	session  string
	delivery broker.Delivery
}

// receive takes one pushed delivery. Among the sessions it may be any of the
// ready messages that are first in line, but within a session they come in order.
func (m *machine) receive(rt *rapid.T, s string, d broker.Delivery) {
	mc := m.byRef[d.Consumer]
	if mc == nil || mc.session != s {
		rt.Fatalf("delivery for consumer %d in session %s", d.Consumer, s)
	}
	q := m.queues[mc.queue]
	text, err := m.world.Text(&d)
	if err != nil {
		rt.Fatal(err)
	}
	ready := m.alive(q)
	i := slices.IndexFunc(ready, func(x *modelMessage) bool { return x.text == text })
	if i < 0 {
		rt.Fatalf("%q came from %s, which has it not ready", text, mc.queue)
	}
	if alone := m.alone(mc); alone && i > 0 && !q.loose {
		rt.Fatalf("%q came before %q", text, ready[0].text)
	}
	m.delivered(rt, s, mc, q, ready[i], d)
}

// alone reports whether all consumers of the queue are of one session.
func (m *machine) alone(mc *modelConsumer) bool {
	for _, x := range m.consumers {
		if x.queue == mc.queue && x.session != mc.session {
			return false
		}
	}
	return true
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
