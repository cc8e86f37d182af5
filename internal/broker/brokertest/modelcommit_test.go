package brokertest

import (
	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// transact publishes to several queues and settles some of what a session holds,
// as one, or nothing of it when a queue is gone or full.
func (m *machine) transact(rt *rapid.T) {
	s, c := m.session(rt)
	var list []sending
	wanted := map[string]int{}
	for range rapid.IntRange(0, 3).Draw(rt, "queues") {
		if part := m.draft(rt, 9); !m.locked { // who cannot seal only settles
			list = append(list, part...)
			wanted[part[0].queue] += len(part)
		}
	}
	pubs, err := m.publishings(list)
	if err != nil {
		rt.Fatal(err)
	}
	lost := rapid.IntRange(0, 9).Draw(rt, "lost") == 0 && m.gone != nil && len(pubs) > 0
	if lost {
		pubs[len(pubs)/2].Targets = []*broker.Queue{m.gone}
	}
	p := m.portion(rt, s)
	if p.way == 0 {
		p.way = broker.Accept
	}
	err = c.Transact(broker.Transaction{Publishings: pubs, Settlements: p.settlements()})
	if lost {
		if kind := fault.KindOf(err); kind != fault.NotFound && kind != fault.Exhausted {
			rt.Fatalf("commit to a queue that is gone: %v", err)
		}
		return
	}
	full := false
	for name, n := range wanted {
		if q := m.queues[name]; q.limits.Overflow == broker.RefusePublish {
			m.room(rt, name, n, err)
			full = true
		}
	}
	if err != nil && !full {
		rt.Fatal(err)
	}
	if err != nil {
		return
	}
	for _, x := range list {
		m.arrived(x)
	}
	m.settleAll(s, p)
}
