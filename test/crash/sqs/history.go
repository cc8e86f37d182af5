// Package sqs loads the built Coffer by many clients of SQS, kills it at any moment,
// starts it again on the same directory, drains it, and holds the history of what the
// clients did and were told against what must follow from it.
//
// It guarantees to report: a message whose send was answered that is gone, or one that
// nobody sent; one that comes after its deletion was certain, or after a purge or the
// deletion of its queue was answered; one that is with two receivers at once, before its
// delay is over, or before the visibility timeout that was set last, over kills too;
// receive counts that repeat, go back or leave out more than the answers that were lost;
// a group that is with two receivers at once or out of order; a deduplication id under
// which two messages were stored; a message of a queue with dead letters that is received
// too often, or again after it was one; a purge that a kill cut in two.
//
// What had no answer may have happened or not. Time is used in one direction only: what is
// late is never found wrong.
package sqs

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// slack is what clocks may differ by, of the process and of the test.
const slack = 100 * time.Millisecond

// span is a call. It took effect between its begin and its end; without an answer, which
// is a zero end, later or never.
type span struct{ begin, end time.Time }

func (s span) answered() bool { return !s.end.IsZero() }

// before reports whether a call was answered before another one was made.
func (s span) before(o span) bool { return s.answered() && s.end.Before(o.begin) }

// queue is a queue of a round.
type queue struct {
	name, url, arn string
	fifo, sealed   bool // sealed: under a customer's key
	visibility     time.Duration
	most           int     // receives before a message is dead; 0: any number
	dead           *queue  // where it goes then
	landing        *queue  // where tasks move what is here
	lost           int     // receives that had no answer
	purge          []*span // calls of PurgeQueue that were not refused
	deletion       *span   // likewise of DeleteQueue
}

// leads reports whether what is sent to q may be received from another queue.
func (q *queue) leads(to *queue) bool {
	return q == to || q.dead == to && to != nil || q.landing == to && to != nil
}

// message is what was sent under one body.
type message struct {
	key, group string
	queue      *queue
	sends      []span
	delay      time.Duration
	id, number string // MessageId and SequenceNumber, once they were told
	takes      []*take
}

// sent reports whether a send of the message was answered, and when the first was.
func (m *message) sent() (s span, ok bool) {
	for _, s := range m.sends {
		if s.answered() {
			return s, true
		}
	}
	return span{}, false
}

// take is one receive of a message.
type take struct {
	span
	message *message
	queue   *queue
	handle  string
	call    int // number of the receive
	place   int // in its answer
	count   int
	until   time.Time // before it nobody else may have the message
	deletes []*span   // that were not refused
	sure    time.Time // when its deletion was certain; zero: it is not
}

// history is what clients did and were told. It is for many goroutines.
type history struct {
	mu       sync.Mutex
	messages map[string]*message
	groups   map[string][]*message // by queue and group, in the order of their sends
	calls    int
	told     int // answers to sends and deletions
	progress func(told int)
	findings []string
}

func newHistory() *history {
	return &history{
		messages: map[string]*message{}, groups: map[string][]*message{},
		progress: func(int) {},
	}
}

// maxFindings bounds what is reported of one round.
const maxFindings = 12

func (h *history) find(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found(format, args...)
}

func (h *history) found(format string, args ...any) {
	if len(h.findings) < maxFindings {
		h.findings = append(h.findings, fmt.Sprintf(format, args...))
	}
}

// sending notes a message before it is sent for the first time.
func (h *history) sending(q *queue, group string, delay time.Duration) *message {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &message{
		key: fmt.Sprint(q.name, "/", len(h.messages)), group: group, queue: q, delay: delay,
	}
	h.messages[m.key] = m
	if q.fifo {
		h.groups[q.name+" "+group] = append(h.groups[q.name+" "+group], m)
	}
	return m
}

// sentAs notes a send and, if it was answered, what was told of it.
func (h *history) sentAs(m *message, s span, id, number string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.sends = append(m.sends, s)
	if !s.answered() {
		return
	}
	if m.id != "" && m.id != id || m.number != "" && m.number != number {
		h.found("%s was sent again as %s %s, and before as %s %s", m.key, id, number, m.id,
			m.number)
	}
	m.id, m.number = id, number
	h.tell()
}

// tell counts an answer that binds.
func (h *history) tell() {
	h.told++
	h.progress(h.told)
}

// received is a message as an answer has it.
type received struct {
	key, id, handle, number, group string
	count                          int
}

// took notes a receive that was answered, and gives a take for each message that should
// be.
func (h *history) took(q *queue, s span, visibility time.Duration, list []received) []*take {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	var takes []*take
	for i, r := range list {
		m := h.messages[r.key]
		switch {
		case m == nil:
			h.found("%s: nobody sent %q", q.name, r.key)
			continue
		case !m.queue.leads(q):
			h.found("%s: %s was not sent here", q.name, m.key)
			continue
		case m.id != "" && r.id != m.id:
			h.found("%s: %s is message %s, and was stored as %s", q.name, m.key, r.id, m.id)
		case q == m.queue && m.number != "" && r.number != m.number:
			h.found("%s: %s has number %s, and was sent with %s", q.name, m.key, r.number, m.number)
		case r.group != m.group:
			h.found("%s: %s is of group %q", q.name, m.key, r.group)
		}
		m.id = r.id
		if q == m.queue {
			m.number = r.number
		}
		t := &take{
			span: s, message: m, queue: q, handle: r.handle, call: h.calls, place: i,
			count: r.count, until: s.begin.Add(visibility),
		}
		m.takes = append(m.takes, t)
		takes = append(takes, t)
	}
	return takes
}

// missed notes a receive that had no answer.
func (h *history) missed(q *queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q.lost++
}

// changing notes a change of a visibility timeout before it is asked for.
func (h *history) changing(t *take, begin time.Time, to time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if end := begin.Add(to); end.Before(t.until) {
		t.until = end
	}
}

// changed notes that a change was answered.
func (h *history) changed(t *take, begin time.Time, to time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.until = begin.Add(to)
}

// deleting notes a deletion before it is asked for.
func (h *history) deleting(t *take, begin time.Time) *span {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &span{begin: begin}
	t.deletes = append(t.deletes, s)
	return s
}

// deleted notes that a deletion was answered. It is certain if nobody else can have had
// the message meanwhile.
func (h *history) deleted(t *take, s *span, end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.end = end
	if t.sure.IsZero() && end.Add(slack).Before(t.until) {
		t.sure = end
	}
	h.tell()
}

// refused notes that a deletion was refused.
func (h *history) refused(t *take, s *span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, d := range t.deletes {
		if d == s {
			t.deletes = append(t.deletes[:i], t.deletes[i+1:]...)
			return
		}
	}
}

// missing gives how many messages whose send was answered nobody has tried to delete, but
// for those that a purge or the deletion of their queue may have taken.
func (h *history) missing() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.messages {
		if m.lost() {
			n++
		}
	}
	return n
}

// pending are the messages of FIFO queues whose only send had no answer, each group in the
// order of its sends.
func (h *history) pending() (list []*message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.groups)) {
		for _, m := range h.groups[name] {
			if _, ok := m.sent(); !ok {
				list = append(list, m)
			}
		}
	}
	return list
}

// purging notes a purge before it is asked for.
func (h *history) purging(q *queue, begin time.Time) *span {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &span{begin: begin}
	q.purge = append(q.purge, s)
	return s
}

// removing notes the deletion of a queue before it is asked for.
func (h *history) removing(q *queue, begin time.Time) *span {
	h.mu.Lock()
	defer h.mu.Unlock()
	q.deletion = &span{begin: begin}
	return q.deletion
}
