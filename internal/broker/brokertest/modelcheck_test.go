package brokertest

import (
	"fmt"
	"runtime"
	"time"

	"pgregory.net/rapid"
)

// check waits until every queue has given out what its consumers' credit allows,
// and checks that it was the first messages and nothing more.
func (m *machine) check(rt *rapid.T) {
	deadline := time.Now().Add(m.plan.patience)
	for !m.locked {
		for m.pruneAll() {
		}
		moved := m.receiveAll(rt)
		due := 0
		for _, name := range modelQueues {
			due += m.due(name)
		}
		if due == 0 && !m.pruneAll() {
			break
		}
		if due > 0 && !moved {
			m.await(rt, deadline)
		}
	}
	for s, c := range m.sessions {
		if err := c.Flush(); err != nil {
			rt.Fatal(err)
		}
		if extra := c.Pending(); len(extra)+len(m.early) > 0 {
			rt.Fatalf("session %s got %d messages too many", s, len(extra)+len(m.early))
		}
	}
	for name, q := range m.queues {
		m.counts(rt, name, q, deadline)
	}
}

// pruneAll lets the queues whose consumers have all they can take do the rest.
func (m *machine) pruneAll() (changed bool) {
	for _, name := range modelQueues {
		q := m.queues[name]
		changed = m.ripen(q) || changed
		if m.due(name) == 0 {
			changed = m.prune(q) || changed
		}
	}
	return changed
}

// counts waits until a queue has as many messages as the model: what only the
// time does, nobody tells.
func (m *machine) counts(rt *rapid.T, name string, q *modelQueue, deadline time.Time) {
	want := len(q.ready())
	for {
		ready, unacked, _ := m.world.Queue(name).Counts()
		delayed := m.world.Queue(name).Delayed()
		if int(ready) == want && int(unacked) == len(q.messages)-want &&
			int(delayed) == len(q.delayed) && m.levels(name, q) == "" {
			return
		}
		if time.Now().After(deadline) {
			m.plan.patience = impatient
			rt.Fatalf("%s: %d ready %d unacked %d delayed, want %d %d %d, at %d (%v) %s", name,
				ready, unacked, delayed, want, len(q.messages)-want, len(q.delayed), m.now(),
				m.clock.Timers(), m.levels(name, q))
		}
		runtime.Gosched()
	}
}

// levels tells what is wrong with what the queue says to hold.
func (m *machine) levels(name string, q *modelQueue) string {
	var durable, ready, all int64
	for _, x := range q.messages {
		if x.durable {
			durable++
		}
		if all += int64(len(x.text)); x.holder == "" && x.lease == nil {
			ready += int64(len(x.text))
		}
	}
	s := m.world.Queue(name).Stats()
	if s.Durable != durable || s.ReadyBytes != ready || len(q.delayed) == 0 && s.Bytes != all {
		return fmt.Sprintf("%d durable, %d of %d bytes ready, want %d, %d of %d", s.Durable,
			s.ReadyBytes, s.Bytes, durable, ready, all)
	}
	return ""
}

// open is how many messages the consumers of a queue would take.
func (m *machine) open(queue string) int {
	n := 0
	for _, mc := range m.takers(queue) {
		if mc.credit < 0 {
			return 1 << 30
		}
		n += mc.credit
	}
	return n
}

// await waits for news of any session.
func (m *machine) await(rt *rapid.T, deadline time.Time) {
	for time.Now().Before(deadline) {
		for _, c := range m.sessions {
			select {
			case <-c.wake:
				return
			default:
			}
		}
		tick := time.NewTimer(50 * time.Microsecond)
		<-tick.C
	}
	m.plan.patience = impatient
	rt.Fatal("deliveries that are due do not come")
}
