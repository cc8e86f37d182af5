package brokertest

import (
	"slices"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

// taken reports whether a message is in flight.
func (x *modelMessage) taken() bool { return x.holder != "" || x.lease != nil }

// may reports whether its group lets a message that is ready go to a taker: all that
// is in flight of the group is the taker's, and none of it is ready before.
func (q *modelQueue) may(x *modelMessage, taker any) bool {
	before := true
	for _, y := range q.messages {
		switch {
		case y == x:
			before = false
		case x.group == "" || y.group != x.group:
		case y.taken() && y.taker != taker, !y.taken() && before:
			return false
		}
	}
	return true
}

// takable gives the messages that may go to a taker next.
func (m *machine) takable(q *modelQueue, taker any) []*modelMessage {
	if !q.groups {
		return m.alive(q)
	}
	return slices.DeleteFunc(m.alive(q), func(x *modelMessage) bool { return !q.may(x, taker) })
}

// due is how many messages consumers of a queue should have; of one with groups
// at least.
func (m *machine) due(name string) int {
	q := m.queues[name]
	if !q.groups {
		return min(len(m.alive(q)), m.open(name))
	}
	for _, mc := range m.consumers {
		if mc.queue == name && mc.credit != 0 && len(m.takable(q, mc)) > 0 {
			return 1
		}
	}
	return 0
}

// orderly checks that a message is one that a taker may be given next. Those of a
// group come in their order and those of none in theirs; with all others it is not
// told which is first.
func (m *machine) orderly(rt *rapid.T, q *modelQueue, x *modelMessage, taker any, alone bool) {
	if !q.may(x, taker) {
		rt.Fatalf("%q of group %q came to %v, but it was not its turn", x.text, x.group, taker)
	}
	for _, y := range m.alive(q) {
		if y == x || q.groups && x.group != "" {
			return
		}
		if alone && (!q.groups || y.group == "") {
			rt.Fatalf("%q came before %q", x.text, y.text)
		}
	}
}

// named gives the message that is ready and that a delivery brings.
func (m *machine) named(rt *rapid.T, q *modelQueue, d *broker.Delivery) *modelMessage {
	text, err := m.world.Text(d)
	if err != nil {
		rt.Fatal(err)
	}
	list := m.alive(q)
	i := slices.IndexFunc(list, func(x *modelMessage) bool { return x.text == text })
	if i < 0 {
		rt.Fatalf("%q came, which is not ready", text)
	}
	return list[i]
}

// elect lets another consumer follow the active one that ended: of the highest
// priority the one that waited longest.
func (m *machine) elect() {
	for name, q := range m.queues {
		if q.single && !slices.Contains(m.consumers, q.active) {
			q.active = nil
			for _, mc := range m.consumers {
				if mc.queue == name && (q.active == nil || mc.priority > q.active.priority) {
					q.active = mc
				}
			}
		}
	}
}

// takers gives the consumers of a queue that are given messages.
func (m *machine) takers(name string) (list []*modelConsumer) {
	q := m.queues[name]
	for _, mc := range m.consumers {
		if mc.queue == name && (!q.single || mc == q.active) {
			list = append(list, mc)
		}
	}
	return list
}

// activity checks whom the queue calls active.
func (m *machine) activity(rt *rapid.T, name string) {
	q := m.queues[name]
	if !q.single {
		return
	}
	list, err := m.world.Queue(name).Consumers(m.tt.Context())
	if err != nil {
		rt.Fatal(err)
	}
	for _, c := range list {
		if c.Active != (m.byRef[c.Ref] == q.active) {
			rt.Fatalf("consumer %d of %s is active: %v", c.Ref, name, c.Active)
		}
	}
}

// grouping draws the groups of messages for a queue that knows any.
func grouping(rt *rapid.T, q *modelQueue) func(i int) string {
	k := rapid.IntRange(0, 3).Draw(rt, "groups")
	return func(i int) string {
		switch {
		case !q.groups:
			return ""
		case k == 3:
			return "a"
		}
		return []string{"", "a", "b"}[i*k%3]
	}
}
