package brokertest

import (
	"slices"

	"coffer/internal/broker"
)

type modelMessage struct {
	text        string
	number      int // its place among those of its priority
	priority    uint8
	durable     bool
	redelivered bool
	holder      string // session; "" while ready
	lease       *modelLease
}

type modelQueue struct {
	durable     bool
	maxPriority uint8
	messages    []*modelMessage // in order, whether held or not
	// By priority, the number of the last durable one that was ever delivered.
	marks map[uint8]int
}

// add puts a message behind all of its priority and above.
func (q *modelQueue) add(m *modelMessage) {
	m.priority = min(m.priority, q.maxPriority)
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
func (q *modelQueue) seen(m *modelMessage) bool { return m.number <= q.marks[m.priority] }

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
func (q *modelQueue) removeLeased(refs []broker.LeaseRef) {
	q.messages = slices.DeleteFunc(q.messages, func(m *modelMessage) bool {
		return m.lease != nil && slices.Contains(refs, m.lease.ref)
	})
}
