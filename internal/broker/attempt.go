package broker

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"coffer/internal/fault"
)

// AttemptID names a receive by what its caller chose, so that one whose answer was lost
// can be made again. Zero is none.
type AttemptID [16]byte

// AttemptWindow is for how long a receive may be made again.
const AttemptWindow = 5 * time.Minute

func attemptChanged(q *Queue) error {
	return fault.Wrap(fault.Conflict, ErrAttempt,
		"messages of a receive from queue '"+q.spec.Name+"' were changed")
}

// AttemptID gives the id of what a caller calls a receive.
func (n *Namespace) AttemptID(text string) AttemptID {
	return AttemptID(n.core.db.MAC("broker/attempt", string(n.id[:]), text))
}

// attempt is a receive that may be made again. It is stored with each of its leases, and
// gone with the last.
type attempt struct {
	id     AttemptID
	at     int64 // shard time of the receive
	size   int   // messages that it took
	leases []*lease
}

// keepAttempt notes what a receive took, durably. Its answer has the order that it will
// have when it is made again.
func (sh *shard) keepAttempt(r *receiver) {
	if r.spec.Attempt == (AttemptID{}) || len(r.list) == 0 {
		return
	}
	slices.SortFunc(r.list, func(x, y Delivery) int { return x.Lease.compare(y.Lease) })
	l := &r.spec.Queue.state.leases
	a := &attempt{id: r.spec.Attempt, at: sh.time, size: len(r.list)}
	for i := range r.list {
		x := l.of[spot{r.list[i].Lease.priority, r.list[i].Lease.seq}]
		l.join(x, a)
		sh.writeLease(x, false)
	}
}

// join makes a lease part of an attempt.
func (l *leases) join(x *lease, a *attempt) {
	if l.attempts == nil {
		l.attempts = map[AttemptID]*attempt{}
	}
	if old := l.attempts[a.id]; old == nil || old.at <= a.at {
		l.attempts[a.id] = a
	}
	x.attempt = a
	a.leases = append(a.leases, x)
}

// rejoin is join of a lease that was stored; a has nothing but what was stored of it.
func (l *leases) rejoin(x *lease, a *attempt) {
	if a == nil {
		return
	}
	if known := l.attempts[a.id]; known != nil && known.at == a.at {
		a = known
	}
	l.join(x, a)
}

// part takes a lease, which changes or ends, out of its attempt.
func (l *leases) part(x *lease) {
	a := x.attempt
	if a == nil {
		return
	}
	x.attempt = nil
	i := slices.Index(a.leases, x)
	a.leases = slices.Delete(a.leases, i, i+1)
	if len(a.leases) == 0 && l.attempts[a.id] == a {
		delete(l.attempts, a.id)
	}
}

// without lets a receive be made again without a message that goes back and was not told of.
// The others are stored when all have gone.
func (a *attempt) without(changed []*attempt) []*attempt {
	if a == nil {
		return changed
	}
	a.size--
	if slices.Contains(changed, a) {
		return changed
	}
	return append(changed, a)
}

// compare is the order in which a receive that can be made again gives its messages.
func (r LeaseRef) compare(x LeaseRef) int {
	return cmp.Or(-cmp.Compare(r.priority, x.priority), cmp.Compare(r.seq, x.seq))
}

// receiveAgain answers a receive that was made before. What it took is given once more,
// with new ends of the leases, unless something of it was changed since. It returns false
// when the receive is a new one.
func (sh *shard) receiveAgain(r *receiver) bool {
	q := r.spec.Queue
	a := q.state.leases.attempts[r.spec.Attempt]
	if a == nil || a.at+milliseconds(AttemptWindow) <= sh.time || a.leases[0].deadline <= sh.time ||
		q.namespace.locked || q.state.damaged != nil {
		return false
	}
	if len(a.leases) < a.size {
		r.reply <- reply{err: attemptChanged(q)}
		return true
	}
	slices.SortFunc(a.leases, func(x, y *lease) int { return x.ref().compare(y.ref()) })
	list := make([]Delivery, 0, a.size)
	for _, x := range a.leases {
		sh.prolong(x, r.spec.Lease)
		d := q.delivery(x.entry)
		d.session, d.Lease, d.LeasedAt, d.Again = r.session, x.ref(), a.at, true
		list = append(list, d)
	}
	r.again = true
	sh.say(true, answering(r.reply, reply{deliveries: list}))
	return true
}

// readAgain reads the messages of a receive that was made again.
func (q *Queue) readAgain(list []Delivery) (_ []Delivery, err error) {
	sh := q.namespace.shard
	r := reader{shard: sh, place: place{platform: sh.place.platform, shard: sh.id}}
	r.snap = sh.store.Snapshot()
	defer func() { err = errors.Join(err, r.snap.Close()) }()
	for i := range list {
		d := &list[i]
		key := entryKey(nil, classDurable, q.id, d.Lease.priority, d.Lease.seq)
		v, ok, err := r.snap.Get(key)
		if err != nil {
			return nil, err
		}
		if !ok { // settled meanwhile
			return nil, attemptChanged(q)
		}
		f, err := r.message(key, v)
		if err != nil {
			return nil, err
		}
		f.count, f.received = d.Count, d.Received
		again := q.delivery(&entry{
			seq: d.Sequence, record: f.record, size: len(f.record), facts: f.facts,
			redelivered: d.Redelivered,
		})
		again.session, again.Lease = d.session, d.Lease
		again.LeasedAt, again.Again = d.LeasedAt, true
		*d = again
	}
	return list, nil
}
