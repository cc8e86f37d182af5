package broker

import "sync/atomic"

// queueID names a queue for ever; those of queues that end with the process have
// the top bit set.
type queueID uint64

const temporaryQueue queueID = 1 << 63

// Queue is one queue of a namespace, from its declaration to its deletion.
type Queue struct {
	namespace *Namespace
	id        queueID
	spec      QueueSpec
	post      bool     // a signpost: it stands for the address of the name
	owner     *Session // of an exclusive queue
	limits    atomic.Pointer[Limits]

	ready     atomic.Int64
	unacked   atomic.Int64
	consumers atomic.Int64
	receiving atomic.Int64 // receives that wait
	delayed   atomic.Int64
	young     atomic.Int64 // ready, but for its gate

	shown shown      // written by the shard's owner
	state queueState // touched by the shard's owner only
}

// Spec is what the queue was declared with; Arguments are not the caller's.
func (q *Queue) Spec() QueueSpec { return q.spec }

// Limits are the present ones; Spec has those of the declaration, or of the
// start.
func (q *Queue) Limits() Limits { return *q.limits.Load() }

// keeps reports whether a message outlives the process in q.
func (q *Queue) keeps(durable bool) bool {
	return (durable || q.spec.KeepAll) && q.spec.stored()
}

// newQueue gives a queue that nothing knows yet.
func newQueue(n *Namespace, spec QueueSpec) *Queue {
	q := &Queue{namespace: n, spec: spec}
	q.state.next = 1
	q.state.limits = spec.Limits
	q.limits.Store(&spec.Limits)
	return q
}

// Owner is the session that an exclusive queue belongs to, else nil.
func (q *Queue) Owner() *Session { return q.owner }

// Counts gives the messages that wait, those in flight, and the consumers, as
// of a moment ago.
func (q *Queue) Counts() (ready, unacked int64, consumers int) {
	return max(q.ready.Load()-q.young.Load(), 0), q.unacked.Load(), int(q.consumers.Load())
}

// Delayed is the number of messages that are kept out of delivery for a time and
// are held by nobody, as of a moment ago. Counts leaves them out. Of a queue with Groups
// that came before the start those count as ready that Limits.Delay keeps.
func (q *Queue) Delayed() int64 { return q.delayed.Load() + min(q.young.Load(), q.ready.Load()) }
