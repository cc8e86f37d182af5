package brokertest

import (
	"slices"

	"coffer/internal/broker"
)

type modelMessage struct {
	text        string
	group       string
	number      int   // its place among those of its priority
	own         uint8 // its priority
	priority    uint8 // as far as its queue tells it
	lasting     bool  // published as durable
	durable     bool  // the queue is it, too
	redelivered bool
	holder      string // session; "" while ready
	lease       *modelLease
	leased      bool  // once; that is stored with it
	taker       any   // who holds its group, while it is in flight
	count       int64 // how often it came back
	expires     int64 // domain time; 0: never
	due         int64 // the same
}

type modelQueue struct {
	durable     bool
	maxPriority uint8
	limits      broker.Limits
	ids         map[string]*sighting
	groups      bool
	single      bool            // one consumer is active
	active      *modelConsumer  // that one
	limited     bool            // counts how often messages come back
	loose       bool            // keeps no order that the model knows
	delayed     []*modelMessage // in the order in which they are due
	messages    []*modelMessage // in order, whether held or not
	// By priority, the number of the last durable one that a session ever had. What
	// it overtook counts, too.
	marks map[uint8]int
}

// modelSpec gives the rules of a queue.
func modelSpec(name string) broker.QueueSpec {
	spec := broker.QueueSpec{Name: name, Durable: name != "temporary"}
	switch name {
	case "durable2", "temporary":
		spec.MaxPriority = 2
		spec.Limits.Dedup = 20_000
	case "groups":
		spec.Groups, spec.Limits.Dedup = true, 20_000
	case "single":
		spec.SingleActive = true
	case "narrow":
		spec.Limits.MaxLength, spec.Limits.Overflow = broker.AtMost(12), broker.RefusePublish
	case "durable work":
		spec.Limits = broker.Limits{
			Expiry: broker.AtMost(25_000), MaxLength: broker.AtMost(15),
			Deliveries: broker.AtMost(2),
			Dead:       broker.DeadLetter{Set: true, OwnKey: true, Key: "graves"},
		}
	}
	return spec
}

// add puts a message behind all of its priority and above.
func (q *modelQueue) add(m *modelMessage) {
	m.priority = min(m.own, q.maxPriority)
	i := len(q.messages)
	for i > 0 && q.messages[i-1].priority < m.priority {
		i--
	}
	q.messages = slices.Insert(q.messages, i, m)
}

func (q *modelQueue) ready() []*modelMessage {
	var list []*modelMessage
	for _, m := range q.messages {
		if m.holder == "" && m.lease == nil {
			list = append(list, m)
		}
	}
	return list
}

// seen reports whether a durable message counts as delivered after a restart.
func (q *modelQueue) seen(m *modelMessage) bool {
	return m.leased || m.number <= q.marks[m.priority]
}

func (q *modelQueue) remove(m *modelMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(x *modelMessage) bool { return x == m })
}

// noteDelivered moves the mark of a priority.
func (q *modelQueue) noteDelivered(m *modelMessage) {
	if m.durable {
		q.marks[m.priority] = max(q.marks[m.priority], m.number)
	}
}

// removeLeased removes the messages under these leases.
func (m *machine) removeLeased(q *modelQueue, refs []broker.LeaseRef, dead bool) {
	for _, x := range slices.Clone(q.messages) {
		switch {
		case x.lease == nil || !slices.Contains(refs, x.lease.ref):
		case dead:
			m.die(q, x)
		default:
			q.remove(x)
		}
	}
}

// has reports whether a message of that text is ready.
func (q *modelQueue) has(text string) bool {
	return slices.ContainsFunc(q.ready(), func(m *modelMessage) bool { return m.text == text })
}
