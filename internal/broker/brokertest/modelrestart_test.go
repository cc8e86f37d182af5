package brokertest

import (
	"context"
	"errors"
	"maps"
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
		m.sync(rt)
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

// sync waits until what queues did by themselves is durable. Nobody is told of it, so
// after a crash before that they do it again.
func (m *machine) sync(rt *rapid.T) {
	c := m.world.Client(broker.SessionConfig{})
	if err := errors.Join(c.Flush(), c.Close(context.Background())); err != nil {
		rt.Fatal(err)
	}
}

// torn crashes while nothing becomes durable: what was published or settled
// meanwhile, as one or not, never happened, and nobody was told or given anything
// of it.
func (m *machine) torn(rt *rapid.T) {
	if m.locked {
		return
	}
	s, c := m.session(rt)
	name, q := m.queue(rt)
	whole := rapid.Bool().Draw(rt, "transaction")
	if !q.durable {
		return
	}
	x := sending{queue: name, text: "never", like: broker.Message{Key: name, Durable: true}}
	if q.limits.Dedup > 0 && m.first(q, sending{id: "id0"}) == nil {
		x.like.Dedup = m.world.Namespace.DedupID("", "id0")
	}
	pubs, err := m.publishings([]sending{x})
	if err != nil {
		rt.Fatal(err)
	}
	pubs[0].Tag, pubs[0].Confirm = 1, true
	p := portion{way: broker.Accept, list: m.held[s]}
	m.sync(rt)
	release := m.engine.Hold()
	defer release()
	if whole {
		t := broker.Transaction{Publishings: pubs, Settlements: p.settlements()}
		err = c.Commit(m.tt.Context(), t, 1)
	} else {
		err = c.Publish(m.tt.Context(), pubs)
		c.Settle(p.settlements())
	}
	if err != nil {
		rt.Fatal(err)
	}
	// A transient answer of the owner shows that it has seen all this.
	if _, err := c.Consume(m.tt.Context(), broker.ConsumerSpec{
		Queue: m.world.Queue("temporary"),
	}); err != nil {
		rt.Fatal(err)
	}
	m.untold(rt, whole)
	image := m.engine.Image()
	release()
	m.forgetTransient()
	m.stop(rt)
	m.engine = image()
	m.start(m.world.Domain)
}

// untold checks that no session was told what is not durable. All that a transaction
// causes waits for it.
func (m *machine) untold(rt *rapid.T, transaction bool) {
	for name, c := range m.sessions {
		c.poll()
		for _, e := range c.events {
			switch {
			case e.Kind == broker.Cancelled, e.Err != nil: // nothing came of it
			case e.Kind == broker.Delivered && !transaction && m.needsNothing(e.Delivery):
			default:
				rt.Fatalf("session %s got event %d of what is not durable", name, e.Kind)
			}
		}
	}
}

// forgetTransient leaves what survives. All up to the mark is redelivered.
func (m *machine) forgetTransient() {
	for _, q := range m.queues {
		transient := func(x *modelMessage) bool { return !x.durable }
		q.messages = slices.DeleteFunc(q.messages, transient)
		q.delayed = slices.DeleteFunc(q.delayed, transient)
		maps.DeleteFunc(q.ids, func(_ string, x *sighting) bool { return !x.durable })
		for _, x := range q.messages {
			x.redelivered = q.seen(x)
			if x.holder = ""; x.lease == nil {
				x.taker = nil
			}
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
