package brokertest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// sending is a message on its way to a queue.
type sending struct {
	queue  string
	id     string // by which the queue knows a repeated one; "": none
	text   string
	number int
	like   broker.Message
}

// draft draws messages for one queue, at most so many.
func (m *machine) draft(rt *rapid.T, most int) (list []sending) {
	name, q := m.queue(rt)
	like := broker.Message{
		Key: name, Durable: rapid.Bool().Draw(rt, "persistent"),
		Priority: uint8(rapid.IntRange(0, 3).Draw(rt, "priority")),
	}
	span := broker.AtMost(int64(rapid.IntRange(1, 30).Draw(rt, "span")) * 1000)
	switch rapid.IntRange(0, 5).Draw(rt, "time") {
	case 0:
		like.Expiry = span
	case 1:
		if !q.limits.Expiry.Set {
			// When no lease runs out, and none of another priority comes: of those
			// that come at once, the reader may bring some before others.
			like.Delay = broker.AtMost(span.N + 500 + 10*int64(like.Priority))
		}
	}
	group := grouping(rt, q)
	ids := rapid.IntRange(0, 9).Draw(rt, "ids")
	for i := range rapid.IntRange(1, most).Draw(rt, "messages") {
		m.count++
		x := sending{queue: name, number: m.count, like: like}
		x.text = fmt.Sprint(m.count, strings.Repeat(".", m.count%7*30))
		if x.like.Group = group(i); q.groups {
			x.like.Expiry = broker.Bound{} // where others overtake, it may go any time
		}
		if q.limits.Dedup > 0 && ids > 3 {
			x.id = fmt.Sprint("id", i*ids%12)
			x.like.Dedup = m.world.Namespace.DedupID("", x.id)
		}
		list = append(list, x)
	}
	return list
}

// publishings seals messages for their queues.
func (m *machine) publishings(list []sending) (pubs []broker.Publishing, err error) {
	for _, s := range list {
		x, err := m.world.MessageLike(s.like, s.text)
		if err != nil {
			return nil, err
		}
		targets := []*broker.Queue{m.world.Queue(s.queue)}
		pubs = append(pubs, broker.Publishing{Message: x, Targets: targets})
	}
	return pubs, nil
}

func (m *machine) publish(rt *rapid.T) {
	_, c := m.session(rt)
	list := m.draft(rt, 40)
	pubs, err := m.publishings(list)
	if m.locked {
		if fault.KindOf(err) != fault.KeyUnavailable {
			rt.Fatalf("publish while locked: %v", err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	events, err := c.Confirm(pubs)
	if err != nil {
		rt.Fatal(err)
	}
	for i, s := range list {
		m.confirmed(rt, s, events[i])
	}
}

// confirmed notes what became of a message.
func (m *machine) confirmed(rt *rapid.T, s sending, e broker.Event) {
	q := m.queues[s.queue]
	first := m.first(q, s)
	if e.Duplicate != (first != nil) {
		rt.Fatalf("%q with id %q is a duplicate: %v", s.text, s.id, e.Duplicate)
	}
	if first != nil {
		if e.Err != nil || !first.like(e) {
			rt.Fatalf("%q with id %q: %+v, first %+v", s.text, s.id, e, first)
		}
		return
	}
	m.room(rt, s.queue, 1, e.Err)
	if e.Err == nil {
		m.arrived(s)
		if s.id != "" {
			q.ids[s.id].learn(e)
		}
	}
}

// room checks an answer to somebody who wants to put n messages into a queue.
// Consumers of one that refuses may or may not have taken what they can before.
func (m *machine) room(rt *rapid.T, name string, n int, err error) {
	q := m.queues[name]
	had, refuses := len(q.ready())+n, q.limits.Overflow == broker.RefusePublish
	switch most := int(q.limits.MaxLength.N); {
	case err == nil && refuses && n > 0 && had-m.open(name) > most:
		rt.Fatalf("%s took %d messages, so that it has %d", name, n, had)
	case err == nil || refuses && had > most && fault.KindOf(err) == fault.Exhausted:
	default:
		rt.Fatalf("%s refuses %d messages, so that it would have %d: %v", name, n, had, err)
	}
}

// arrived puts a message into its queue, unless it repeats another.
func (m *machine) arrived(s sending) {
	q := m.queues[s.queue]
	if m.first(q, s) != nil {
		return
	}
	x := &modelMessage{
		text: s.text, number: s.number, group: s.like.Group, own: s.like.Priority,
		lasting: s.like.Durable, expires: m.expiry(q, s.like.Expiry),
		due: m.now() + s.like.Delay.N,
	}
	x.durable = x.lasting && q.durable
	if s.id != "" {
		until := m.clock.Now().Add(time.Duration(q.limits.Dedup) * time.Millisecond)
		q.ids[s.id] = &sighting{until: until, durable: x.durable}
	}
	if s.like.Delay.Set {
		q.delay(x)
	} else {
		q.add(x)
	}
}

// expiry gives when a message that comes now expires; 0: never.
func (m *machine) expiry(q *modelQueue, own broker.Bound) int64 {
	life := q.limits.Expiry
	if own.Set && (!life.Set || own.N < life.N) {
		life = own
	}
	if !life.Set {
		return 0
	}
	return m.now() + life.N
}

// sighting is what a queue keeps of the first message of an id.
type sighting struct {
	until    time.Time
	durable  bool
	sequence uint64 // 0: not known
	message  [16]byte
}

// first gives what the queue knows of a message that came with the same id.
func (m *machine) first(q *modelQueue, s sending) *sighting {
	if x := q.ids[s.id]; x != nil && m.clock.Now().Before(x.until) {
		return x
	}
	return nil
}

func (s *sighting) learn(e broker.Event) { s.sequence, s.message = e.Sequence, e.MessageID }

// like reports whether the confirm of a repeated message names the first.
func (s *sighting) like(e broker.Event) bool {
	if s.sequence == 0 {
		s.learn(e)
	}
	return s.sequence == e.Sequence && s.message == e.MessageID
}
