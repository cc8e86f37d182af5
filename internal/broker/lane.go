package broker

import "slices"

// lane is the messages of one queue that have one priority. Sequences grow with
// every publish to the queue and are the order of the lane:
//
//	released and ready … | gap: in the store only | tail …
//
// ready holds entries below gap.from, in flight ones are below it too, and tail
// those from gap.to on. Without a gap there is no tail.
type lane struct {
	queue    *Queue
	priority uint8

	ready    ring[*entry]
	released []*entry // to be put into ready by reinsert
	before   []*entry // scratch of reinsert
	gap      gap
	tail     ring[*entry]

	doomed ring[*entry] // dead, waiting to be buried
	burial *burial      // of the first of doomed, if begun
	peeked peeked
	hot    bool // the last head expired: the next may have, too

	flight  *entry // list of those in flight, in no order
	flights int
	parked  *entry // list of those that are set aside by groups, in no order
	parks   int
	fetch   string // group of which somebody looked for a parked record
	missing uint64 // sequence of the first record that somebody looked for
	more    bool   // somebody looked for what is behind ready
	top     uint64 // in flight ones are below
	// What was leased or dead at the start and lies where the gap was then. The page that
	// comes by leaves it out.
	early map[uint64]struct{}

	// What the queue record says of it, for stored queues.
	stock
	settles int    // since first was computed
	paged   uint64 // sequences below may have been read from the gap
	wiped   uint64 // below, the store was told of ranges that are empty
	boot    uint64 // delivered as of the start: below is redelivered

	gen     uint32 // counts purges, so that an older read is not used
	reading bool
	wants   bool // in the owner's list of reads to begin
	page    int  // entries of the last page
}

// stock is what is stored of a lane.
type stock struct {
	depth     int64  // messages, in flight or not
	bytes     int64  // of their records
	body      int64  // of their bodies
	first     uint64 // a bound: no stored message is lower
	delivered uint64 // messages below were assigned to a consumer once
	expires   bool   // some may have a time of expiry
	marks     bool   // some may be marked as dead
}

// gap is the part of a lane that is in the store only: messages with
// from <= sequence < to.
type gap struct {
	from, to uint64
	count    int64
	bytes    int64 // cost, as far as it is known
	body     int64 // bytes of bodies
}

// lane gives the lane of a priority, which it makes when it is missing. Higher
// ones than the queue has are its highest.
func (q *Queue) lane(priority uint8) *lane {
	st := &q.state
	priority = min(priority, q.spec.ranks())
	for i, l := range st.lanes {
		if l.priority == priority {
			return l
		}
		if l.priority < priority {
			return q.insertLane(i, priority)
		}
	}
	return q.insertLane(len(st.lanes), priority)
}

func (q *Queue) insertLane(i int, priority uint8) *lane {
	st := &q.state
	l := &lane{queue: q, priority: priority}
	if st.lanes == nil { // most queues have no other
		l = &st.only
		l.queue, l.priority = q, priority
	}
	st.lanes = slices.Insert(st.lanes, i, l)
	return l
}

// link puts e into the list of messages in flight.
func (l *lane) link(e *entry) {
	e.prev, e.next = nil, l.flight
	if l.flight != nil {
		l.flight.prev = e
	}
	l.flight = e
	l.flights++
}

func (l *lane) unlink(e *entry) {
	cut(&l.flight, e)
	l.flights--
}

// cut takes e out of the list that begins at head.
func cut(head **entry, e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		*head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
}

// reinsert puts the released entries to their places in the order of sequences.
func (l *lane) reinsert() {
	if len(l.released) == 0 {
		return
	}
	l.lookBack()
	back := l.released
	slices.SortFunc(back, func(a, b *entry) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	// What stands before the last of them is taken out and merged.
	last := back[len(back)-1].seq
	before := l.before[:0]
	for l.ready.len() > 0 && (*l.ready.at(0)).seq < last {
		before = append(before, l.ready.popFront())
	}
	i, j := len(back)-1, len(before)-1
	for i >= 0 || j >= 0 {
		if j < 0 || i >= 0 && back[i].seq > before[j].seq {
			l.ready.pushFront(back[i])
			i--
		} else {
			l.ready.pushFront(before[j])
			j--
		}
	}
	clear(back)
	clear(before)
	l.released, l.before = back[:0], before[:0]
	if cap(l.released) > keepRing {
		l.released = nil
	}
	if cap(l.before) > keepRing {
		l.before = nil
	}
}

// widen lets the gap end behind the last sequence of the queue, which is the
// message's.
func (l *lane) widen(seq uint64, weight int64, body int) {
	if l.gap.count == 0 {
		l.gap = gap{from: seq}
	}
	l.gap.to = seq + 1
	l.gap.count++
	l.gap.bytes += weight
	l.gap.body += int64(body)
}

// empty reports whether no message of the lane waits.
func (l *lane) empty() bool {
	return l.ready.len() == 0 && len(l.released) == 0 && l.gap.count == 0
}

// head gives the first message that waits, and false when it must be read first
// or there is none.
func (l *lane) head() (*entry, bool) {
	if l.ready.len() == 0 {
		return nil, false
	}
	e := *l.ready.at(0)
	return e, e.record != nil
}

// lowest gives a sequence below which nothing is stored. While messages are in
// flight or parked it is computed now and then only: an old one is good, just lower.
func (l *lane) lowest() uint64 {
	low := l.queue.state.next
	if l.gap.count > 0 {
		low = l.gap.from
	}
	if l.ready.len() > 0 {
		low = (*l.ready.at(0)).seq
	}
	for _, e := range l.released {
		low = min(low, e.seq)
	}
	if out := l.flights + l.parks + l.doomed.len(); out > 0 {
		if l.settles < max(1024, out) {
			return l.first
		}
		for i := range l.doomed.len() {
			low = min(low, (*l.doomed.at(i)).seq)
		}
		for e := l.parked; e != nil; e = e.next {
			low = min(low, e.seq)
		}
		for e := l.flight; e != nil; e = e.next {
			low = min(low, e.seq)
		}
	}
	l.first, l.settles = low, 0
	return low
}

// wipeEvery is how many sequences one range takes, at least.
const wipeEvery = 1024

// wipe deletes what lies below first as a range, once more, if it was read from the gap:
// of a message that was stored long ago the store keeps that it was deleted, one by one,
// until it has gone over its tables.
func (sh *shard) wipe(l *lane) {
	if l.wiped >= l.paged || l.first < l.wiped+wipeEvery {
		return
	}
	lower := entryKey(sh.keybuf[:0], classDurable, l.queue.id, l.priority, l.wiped)
	upper := entryKey(nil, classDurable, l.queue.id, l.priority, l.first)
	sh.batch.DeleteRange(lower, upper)
	l.wiped = l.first
}
