package brokertest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// move moves some of the first messages of a queue to the end of another. While a
// move waits for the key, nobody knows what it does next.
func (m *machine) move(rt *rapid.T) {
	name, from := m.queue(rt)
	target, to := m.queue(rt)
	most := rapid.IntRange(0, 12).Draw(rt, "most")
	crash := rapid.IntRange(0, 3).Draw(rt, "crash") == 0
	if m.locked || from == to || from.loose && !to.loose ||
		from.groups && (!to.loose || most > 0) { // nobody knows which is the first
		return
	}
	if crash && m.plain(name) && m.plain(target) {
		m.moveTorn(rt, name, target, most)
		return
	}
	list := m.foremost(m.movable(from), most)
	if to.groups && slices.ContainsFunc(list, (*modelMessage).mortal) {
		return // where others overtake, it may go when it is not the head
	}
	if to.maxPriority > 0 && m.open(target) > 0 && !slices.IsSortedFunc(list, urgency) {
		return // a consumer may have the first before others come and overtake it
	}
	spec := m.moveSpec(name, target, most)
	job, err := m.world.Namespace.MoveMessages(m.tt.Context(), spec)
	if err != nil {
		rt.Fatal(err)
	}
	select {
	case <-job.Done():
	case <-time.After(m.plan.patience):
		m.plan.patience = impatient
		rt.Fatalf("the move of %d messages does not end after %d", len(list), job.Moved())
	}
	n, err := int(job.Moved()), job.Err()
	switch {
	case err == nil && n == len(list):
	case fault.KindOf(err) == fault.Exhausted && n <= len(list) && (most == 0 || n < most):
		m.room(rt, target, n+1, err)
	default:
		rt.Fatalf("%d messages of %d were moved, %v", n, len(list), err)
	}
	m.room(rt, target, n, nil)
	for _, x := range list[:n] {
		m.moved(from, to, x)
	}
}

// movable gives what may be moved, each message as by a taker of its own.
func (m *machine) movable(q *modelQueue) []*modelMessage {
	return slices.DeleteFunc(m.alive(q), func(x *modelMessage) bool {
		return x.group != "" && slices.ContainsFunc(q.messages, func(y *modelMessage) bool {
			return y.group == x.group && y.taken()
		})
	})
}

// urgency orders messages by their own priority, the highest first.
func urgency(a, b *modelMessage) int { return cmp.Compare(b.own, a.own) }

func (x *modelMessage) mortal() bool { return x.expires != 0 }

func (m *machine) moveSpec(from, to string, most int) broker.MoveSpec {
	return broker.MoveSpec{
		From: m.world.Queue(from), To: m.world.Queue(to), Max: int64(most),
	}
}

// foremost gives the first messages; all if there is no bound.
func (m *machine) foremost(list []*modelMessage, most int) []*modelMessage {
	if most > 0 && most < len(list) {
		return list[:most]
	}
	return list
}

// moved takes a message to the end of another queue, as a new one that keeps its
// time.
func (m *machine) moved(from, to *modelQueue, x *modelMessage) {
	from.remove(x)
	m.count++
	y := &modelMessage{
		text: x.text, number: m.count, own: x.own, lasting: x.lasting,
		durable: x.lasting && to.durable, expires: m.expiry(to, broker.Bound{}),
	}
	if x.expires != 0 && (y.expires == 0 || x.expires < y.expires) {
		y.expires = x.expires
	}
	to.add(y)
}

// plain reports whether nothing but those who ask changes a queue: it is durable,
// has no rules that remove messages, and no consumers.
func (m *machine) plain(name string) bool {
	q := m.queues[name]
	taken := func(c *modelConsumer) bool { return c.queue == name }
	return q.durable && !q.loose && !q.groups && !q.limits.MaxLength.Set &&
		!slices.ContainsFunc(m.consumers, taken) && !slices.ContainsFunc(q.messages, m.over)
}

// moveTorn crashes while a move goes on. Each message is in one of the queues.
func (m *machine) moveTorn(rt *rapid.T, name, target string, most int) {
	from, to := m.queues[name], m.queues[target]
	spec := m.moveSpec(name, target, most)
	m.sync(rt)
	if _, err := m.world.Namespace.MoveMessages(m.tt.Context(), spec); err != nil {
		rt.Fatal(err)
	}
	image := m.engine.Image()
	list := m.foremost(m.alive(from), most)
	m.forgetTransient()
	m.stop(rt)
	m.engine = image()
	m.start(m.world.Domain)
	list = slices.DeleteFunc(slices.Clone(list), func(x *modelMessage) bool { return !x.durable })
	ready, leased, _ := m.world.Queue(name).Counts()
	n := len(from.messages) - int(ready+leased)
	if n < 0 || n > len(list) {
		rt.Fatalf("a crash while %d messages are moved takes %d", len(list), n)
	}
	for _, x := range list[:n] {
		m.moved(from, to, x)
	}
}
