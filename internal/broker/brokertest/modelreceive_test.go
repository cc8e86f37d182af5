package brokertest

import (
	"slices"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

// receiveAll takes what has been pushed. What comes from a loose queue may be
// there before the model knows, because others have not told yet why.
func (m *machine) receiveAll(rt *rapid.T) (moved bool) {
	for _, s := range modelSessions {
		c := m.sessions[s]
		if c == nil {
			continue
		}
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
	if q.single && mc != q.active {
		rt.Fatalf("%q came to a consumer that is not active", text)
	}
	if !q.loose {
		m.orderly(rt, q, ready[i], mc, q.single || m.alone(mc))
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
