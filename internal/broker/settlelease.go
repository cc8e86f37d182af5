package broker

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"time"

	"coffer/internal/fault"
)

// MaxLeaseRefs bounds the references of one call.
const MaxLeaseRefs = 1024

// LeaseResult says what became of a lease that was to be extended or settled.
type LeaseResult uint8

// The results.
const (
	LeaseDone       LeaseResult = iota + 1 // extended or settled
	LeaseGone                              // the message is not in the queue any more
	LeaseSuperseded                        // it was received again since
	LeaseExpired                           // the lease ran out; nobody has received it since

	leaseUnread LeaseResult = 0xff // LeaseExpired if the store has the message, or LeaseGone
)

// Extension gives a lease a new end, counted from now. Zero makes the message
// visible at once.
type Extension struct {
	Ref LeaseRef
	By  time.Duration
}

// leaseLetter is a batch of references and what to do with them.
type leaseLetter struct {
	extend  []Extension
	settle  []LeaseRef
	outcome Outcome
	late    bool
	results []LeaseResult

	unreceive []LeaseRef
	aside     time.Duration
}

// ExtendLeases moves the ends of leases. It gives a result for each, and what it
// says is durable. Errors, which say nothing of any: fault.Invalid;
// fault.NotFound when the queue is gone.
func (n *Namespace) ExtendLeases(ctx context.Context, q *Queue, list []Extension) (
	[]LeaseResult, error,
) {
	for _, x := range list {
		if x.By < 0 {
			return nil, fault.New(fault.Invalid, "extension of a lease by %v", x.By)
		}
	}
	return n.tellLeases(ctx, q, len(list), &leaseLetter{extend: slices.Clone(list)})
}

// SettleLeases ends leases with their messages. With late, a lease that ran out
// settles as well, unless somebody has received the message since, or the process
// was started since. Results and errors are as of ExtendLeases.
func (n *Namespace) SettleLeases(
	ctx context.Context, q *Queue, refs []LeaseRef, o Outcome, late bool,
) ([]LeaseResult, error) {
	if o < Accept || o > Reject {
		return nil, fault.New(fault.Invalid, "unknown outcome %d", o)
	}
	letter := &leaseLetter{settle: slices.Clone(refs), outcome: o, late: late}
	return n.tellLeases(ctx, q, len(refs), letter)
}

func (n *Namespace) tellLeases(ctx context.Context, q *Queue, count int, l *leaseLetter) (
	[]LeaseResult, error,
) {
	if count > MaxLeaseRefs {
		return nil, fault.New(fault.Invalid, "%d references of leases", count)
	}
	if q.namespace != n {
		return nil, queueGone(q)
	}
	l.results = make([]LeaseResult, 0, count)
	if _, err := n.shard.ask(ctx, request{kind: reqLeases, q: q, leases: l}); err != nil {
		return nil, err
	}
	return l.results, q.lookUp(l)
}

// lookUp looks in the store for messages that wait outside memory, if they are there. What
// was told to be gone is not in it.
func (q *Queue) lookUp(l *leaseLetter) (err error) {
	if !slices.Contains(l.results, leaseUnread) {
		return nil
	}
	snap := q.namespace.shard.store.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	for i, r := range l.results {
		if r != leaseUnread {
			continue
		}
		ref := LeaseRef{}
		if len(l.extend) > 0 {
			ref = l.extend[i].Ref
		} else {
			ref = l.settle[i]
		}
		key := entryKey(nil, classDurable, q.id, ref.priority, ref.seq)
		_, ok, err := snap.Get(key)
		if err != nil {
			return err
		}
		if l.results[i] = LeaseGone; ok {
			l.results[i] = LeaseExpired
		}
	}
	return nil
}

// settleLeases works on a batch of references.
func (sh *shard) settleLeases(r *request) {
	q, l := r.q, r.leases
	if q.state.gone || q.state.frozen {
		r.reply <- reply{err: queueGone(q)}
		return
	}
	for _, x := range l.extend {
		l.results = append(l.results, sh.extendLease(q, x))
	}
	for _, ref := range l.settle {
		l.results = append(l.results, sh.settleLease(q, ref, l.outcome, l.late))
	}
	var shorter []*attempt
	for _, ref := range l.unreceive {
		if x, result := sh.leaseOf(q, ref); result == LeaseDone {
			shorter = x.attempt.without(shorter)
		}
		l.results = append(l.results, sh.returnLease(q, ref, l.aside))
	}
	for _, a := range shorter {
		for _, x := range a.leases {
			sh.writeLease(x, false)
		}
	}
	sh.say(sh.busy(), answering(r.reply, reply{}))
}

// leaseOf finds the lease of ref, whether it has run out or not.
func (sh *shard) leaseOf(q *Queue, ref LeaseRef) (*lease, LeaseResult) {
	x := q.state.leases.of[spot{ref.priority, ref.seq}]
	switch {
	case x == nil:
		return nil, LeaseGone
	case x.receipt != ref.receipt:
		return nil, LeaseSuperseded
	case x.deadline <= sh.time:
		return x, LeaseExpired
	}
	return x, LeaseDone
}

func (sh *shard) extendLease(q *Queue, want Extension) LeaseResult {
	x, result := sh.leaseOf(q, want.Ref)
	if result == LeaseGone {
		_, _, result = q.lapsed(want.Ref)
	}
	if result != LeaseDone {
		return result
	}
	if want.By == 0 {
		sh.comeBack(x)
		return LeaseDone
	}
	q.state.leases.part(x)
	sh.prolong(x, want.By)
	return LeaseDone
}

// prolong gives a lease a new end.
func (sh *shard) prolong(x *lease, by time.Duration) {
	q := x.entry.lane.queue
	x.deadline = sh.time + milliseconds(by)
	heap.Fix(&q.state.leases.heap, x.at)
	sh.writeLease(x, false)
	sh.wakeAt(q, x.deadline)
}

func (sh *shard) settleLease(q *Queue, ref LeaseRef, o Outcome, late bool) LeaseResult {
	x, result := sh.leaseOf(q, ref)
	switch {
	case result == LeaseGone:
		return sh.settleLapsed(q, ref, o, late)
	case result == LeaseSuperseded, result == LeaseExpired && !late:
		return result
	case o == Release:
		sh.comeBack(x)
	case o == Reject:
		sh.die(sh.endLease(x), Rejected)
	default:
		sh.counters.settled.Add(1)
		sh.remove(sh.endLease(x))
	}
	return LeaseDone
}

// settleLapsed settles a message whose lease ran out and which nobody has
// received since.
func (sh *shard) settleLapsed(q *Queue, ref LeaseRef, o Outcome, late bool) LeaseResult {
	l, i, result := q.lapsed(ref)
	switch {
	case result != LeaseExpired, !late:
		return result
	case o == Release: // that is what it is
		return LeaseDone
	}
	e := *l.ready.at(i)
	l.ready.remove(i)
	l.gen++ // the reader may have been asked for it
	q.state.body -= int64(e.body)
	q.ready.Add(-1)
	sh.markDirty(q)
	if o == Reject {
		sh.die(e, Rejected)
		return LeaseDone
	}
	sh.counters.settled.Add(1)
	sh.remove(e)
	return LeaseDone
}

// lapsed finds where a message waits that has no lease. The lane is nil when it
// is not ready in memory.
func (q *Queue) lapsed(ref LeaseRef) (*lane, int, LeaseResult) {
	for _, l := range q.state.lanes {
		if l.priority != ref.priority {
			continue
		}
		l.unparkSeq(ref.seq)
		l.reinsert()
		i := l.search(ref.seq)
		switch {
		case i < l.ready.len() && (*l.ready.at(i)).seq == ref.seq:
			if (*l.ready.at(i)).receipt == ref.receipt {
				return l, i, LeaseExpired
			}
			return nil, 0, LeaseSuperseded
		case l.gap.count > 0 && ref.seq >= l.gap.from && ref.seq < l.gap.to:
			return nil, 0, leaseUnread
		}
	}
	return nil, 0, LeaseGone
}

// search gives the place in ready of the first entry that is not below seq.
func (l *lane) search(seq uint64) int {
	low, high := 0, l.ready.len()
	for low < high {
		mid := (low + high) / 2
		if (*l.ready.at(mid)).seq < seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
