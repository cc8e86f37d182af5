package broker

import (
	"context"
	"time"

	"coffer/internal/fault"
)

// MaxReceive bounds the messages of one Receive.
const MaxReceive = 256

// maxReceivers bounds the receives that wait at one queue.
const maxReceivers = 1 << 14

// ReceiveSpec says what to take from a queue.
type ReceiveSpec struct {
	Queue *Queue
	Max   int           // messages, 1 to MaxReceive
	Bytes int           // of messages, at which no more are added; 2 MiB
	Lease time.Duration // how long they are kept from others, in whole milliseconds
	Wait  time.Duration // how long to wait for the first message
	// Attempt, if it is set, lets the receive be made again for AttemptWindow: one with the
	// same id gets the same messages under the same references and with new ends of their
	// leases, or ErrAttempt when some of them were extended, settled or released since. When
	// they all were, the leases have run out or it is older, the receive is a new one. It
	// survives a restart. What ReturnLeases gives back is no part of it any more.
	Attempt AttemptID
	First   bool // it is a new one, and takes the place of one with the same Attempt
}

// receiver is a Receive that is not answered. All but spec and reply is the
// owner's.
type receiver struct {
	spec    ReceiveSpec
	session *Session
	reply   chan reply
	taker   taker
	until   int64 // shard time
	list    []Delivery
	bytes   int  // of the messages in list
	durable bool // something in list is stored
	done    bool // answered, or withdrawn
	again   bool // it was made before, and its messages are to be read
}

// Receive takes messages under leases: nobody else gets them before the lease
// runs out, and then they come back to their places, marked redelivered. It waits
// for the first message only and then gives what is in memory. The leases are
// durable, as far as the messages are, when it returns; they belong to nobody
// and outlive the session. When ctx ends, so does Receive, and nothing stays
// leased. Errors: fault.Invalid; fault.Exhausted when too many wait, and at
// Limits.MaxInFlight if it does not wait; fault.NotFound when the queue is gone;
// fault.Conflict with ErrLocked or ErrAttempt; the domain's reason while it is locked.
func (s *Session) Receive(ctx context.Context, spec ReceiveSpec) ([]Delivery, error) {
	if spec.Bytes <= 0 {
		spec.Bytes = 2 << 20
	}
	if spec.Max < 1 || spec.Max > MaxReceive || spec.Lease < 0 || spec.Wait < 0 {
		return nil, fault.New(fault.Invalid, "receive of %d messages for %v, waiting %v",
			spec.Max, spec.Lease, spec.Wait)
	}
	if s.closed.Load() {
		return nil, closedError()
	}
	r := &receiver{spec: spec, session: s, reply: make(chan reply, 1)}
	if err := s.shard.mail.post(request{kind: reqReceive, s: s, receive: r}); err != nil {
		return nil, err
	}
	select {
	case a := <-r.reply:
		return r.answer(a)
	case <-ctx.Done():
		s.shard.mail.urgent(request{kind: reqWithdraw, receive: r})
		return nil, ctx.Err()
	case <-s.shard.stopped:
	}
	select {
	case a := <-r.reply:
		return r.answer(a)
	default:
		return nil, s.shard.failure
	}
}

// answer gives what the owner replied.
func (r *receiver) answer(a reply) ([]Delivery, error) {
	if r.again && a.err == nil {
		return r.spec.Queue.readAgain(a.deliveries)
	}
	return a.deliveries, a.err
}

// Receiving is the number of receives that wait at the queue, as of a moment
// ago.
func (q *Queue) Receiving() int { return int(q.receiving.Load()) }

// receive begins to wait; the pump answers.
func (sh *shard) receive(r *receiver) {
	q, s := r.spec.Queue, r.session
	st := &q.state
	var err error
	switch {
	case r.done: // withdrawn before it was here
		return
	case s.state.closed:
		err = closedError()
	case st.gone || st.frozen || q.namespace != s.namespace:
		err = queueGone(q)
	case q.owner != nil && q.owner != s:
		err = queueLocked(q)
	case st.receivers.len() >= maxReceivers:
		err = fault.New(fault.Exhausted, "too many receives wait at queue '%s'", q.spec.Name)
	}
	if err != nil {
		r.reply <- reply{err: err}
		return
	}
	sh.use(q)
	if !r.spec.First && sh.receiveAgain(r) {
		return
	}
	r.until = sh.time + milliseconds(r.spec.Wait)
	if st.receivers.len() == 0 || r.until < st.waitsEnd {
		st.waitsEnd = r.until
	}
	st.receivers.pushBack(r)
	if s.state.receivers == nil {
		s.state.receivers = map[*receiver]struct{}{}
	}
	s.state.receivers[r] = struct{}{}
	q.receiving.Add(1)
	sh.touch(q)
}

// milliseconds gives the milliseconds of d, rounded up.
func milliseconds(d time.Duration) int64 {
	return int64(d/time.Millisecond) + min(int64(d%time.Millisecond), 1)
}

func tooManyLeases(q *Queue) error {
	return fault.New(fault.Exhausted, "queue '%s' has too many messages in flight", q.spec.Name)
}

// full reports whether no more messages may be received.
func (l *leases) full(limits *Limits) bool {
	return limits.MaxInFlight.Set && int64(l.held) >= limits.MaxInFlight.N ||
		len(l.heap) >= maxLeases
}

// receiverOf gives the receive whose turn it is, or nil.
func (sh *shard) receiverOf(q *Queue) *receiver {
	st := &q.state
	if st.receivers.len() == 0 {
		return nil
	}
	if !st.leases.full(&st.limits) {
		return *st.receivers.at(0)
	}
	for i := 0; i < st.receivers.len(); {
		r := *st.receivers.at(i)
		switch {
		case len(r.list) > 0:
			sh.answerReceive(r, nil)
		case r.spec.Wait == 0:
			sh.answerReceive(r, tooManyLeases(q))
		default:
			i++
		}
	}
	sh.endWaits(q)
	return nil
}

// hand gives e, which was ready, to r under a lease.
func (sh *shard) hand(r *receiver, e *entry) {
	q := e.lane.queue
	receipt := sh.random.Uint64() | 1 // never 0
	if e.received == 0 {
		e.received = max(sh.time, 1)
	}
	d := q.delivery(e)
	d.session = r.session
	d.Lease, d.LeasedAt = LeaseRef{e.lane.priority, e.seq, receipt}, sh.time
	if r.list == nil {
		r.list = make([]Delivery, 0, min(r.spec.Max, 16))
	}
	r.list = append(r.list, d)
	r.durable = r.durable || e.durable
	q.state.body -= int64(e.body)
	q.ready.Add(-1)
	sh.counters.delivered.Add(1)
	sh.lend(e, receipt, e.count+1, sh.time+milliseconds(r.spec.Lease))
	if r.bytes += d.Size; len(r.list) == r.spec.Max || r.bytes >= r.spec.Bytes {
		sh.answerReceive(r, nil)
	}
}

// answerReceive ends a receive that waits.
func (sh *shard) answerReceive(r *receiver, err error) {
	q := r.spec.Queue
	sh.keepAttempt(r)
	sh.endReceive(r)
	wait := r.durable || q.state.lastBatch > sh.durable
	sh.say(wait, answering(r.reply, reply{deliveries: r.list, err: err}))
}

// endReceive takes a receive off the list of those who wait.
func (sh *shard) endReceive(r *receiver) {
	st := &r.spec.Queue.state
	r.done = true
	for i := range st.receivers.len() {
		if *st.receivers.at(i) == r {
			st.receivers.remove(i)
			break
		}
	}
	sh.use(r.spec.Queue)
	delete(r.session.state.receivers, r)
	r.spec.Queue.receiving.Add(-1)
}

// maxHandOut bounds the messages that are handed out in one pump.
const maxHandOut = 4096

// handOut gives what waits to those who receive, each all that it can have.
func (sh *shard) handOut(q *Queue) {
	n := 0
	for r := sh.receiverOf(q); r != nil; r = sh.receiverOf(q) {
		if n++; len(r.list) == 0 && (n > maxHandOut || sh.full()) {
			sh.soon(q)
			return
		}
		e, wait := sh.pick(q, &r.taker)
		switch {
		case e != nil:
			sh.hand(r, e)
		case len(r.list) > 0:
			sh.answerReceive(r, nil)
		case wait:
			return
		default:
			sh.endWaits(q)
			return
		}
	}
}

// endWaits answers the receives whose time is over; there is nothing for them.
func (sh *shard) endWaits(q *Queue) {
	st := &q.state
	if sh.time >= st.waitsEnd {
		st.waitsEnd = maxTime
		for i := 0; i < st.receivers.len(); {
			r := *st.receivers.at(i)
			if r.until <= sh.time {
				sh.answerReceive(r, nil)
				continue
			}
			st.waitsEnd = min(st.waitsEnd, r.until)
			i++
		}
	}
	if st.receivers.len() > 0 && st.waitsEnd > sh.time {
		sh.wakeAt(q, st.waitsEnd)
	}
}

// refuseReceives ends all receives that wait at q.
func (sh *shard) refuseReceives(q *Queue, err error) {
	for q.state.receivers.len() > 0 {
		sh.answerReceive(*q.state.receivers.at(0), err)
	}
}

// withdraw ends a receive whose caller has left, and gives back what it got.
func (sh *shard) withdraw(r *receiver) {
	st := &r.spec.Queue.state
	if !r.done && r.session.state.receivers != nil {
		if _, waits := r.session.state.receivers[r]; waits {
			sh.endReceive(r)
		}
	}
	r.done = true
	if st.gone || sh.err != nil {
		return
	}
	for i := range r.list {
		ref := r.list[i].Lease
		x := st.leases.of[spot{ref.priority, ref.seq}]
		if x != nil && x.receipt == ref.receipt {
			sh.back(sh.unreceive(x))
		}
	}
}

// unreceive ends a lease as if the message had not been received.
func (sh *shard) unreceive(x *lease) *entry {
	e := sh.endLease(x)
	if e.count == 0 {
		e.received = 0
	}
	return e
}
