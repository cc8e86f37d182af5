package broker

import (
	"slices"
)

// entry is a message of one queue that the owner has in memory: ready, or in
// flight. Entries belong to the owner and are used again.
type entry struct {
	queue   *Queue
	seq     uint64
	record  []byte // nil: it must be read from the store before it is delivered
	address string
	key     string
	size    int // bytes of the record, whether it is here or not
	count   uint32

	durable     bool // stored in class 0x10
	spilled     bool // stored in class 0x11
	redelivered bool
	dead        bool // in flight, but its queue was deleted

	prev, next *entry // in flight: the list of its queue; next also: free list
}

// entryOverhead is about what an entry needs besides its bytes.
const entryOverhead = 192

// cost is what the message takes of a window.
func cost(record int, address, key string) int64 {
	return int64(record + len(address) + len(key) + entryOverhead)
}

func (e *entry) cost() int64 { return cost(e.size, e.address, e.key) }

// stored reports whether the entry's record can be read from the store.
func (e *entry) stored() bool { return e.durable || e.spilled }

func (e *entry) class() class {
	if e.durable {
		return classDurable
	}
	return classSpilled
}

func (sh *shard) newEntry(q *Queue) *entry {
	e := sh.freeEntries
	if e == nil {
		return &entry{queue: q}
	}
	sh.freeEntries = e.next
	sh.freeCount--
	*e = entry{queue: q}
	return e
}

// keepEntries bounds the free list.
const keepEntries = 1 << 14

func (sh *shard) freeEntry(e *entry) {
	*e = entry{}
	if sh.freeCount < keepEntries {
		e.next = sh.freeEntries
		sh.freeEntries = e
		sh.freeCount++
	}
}

// hold counts the record of e as memory.
func (sh *shard) hold(e *entry) {
	n := e.cost()
	e.queue.state.memory += n
	sh.memory += n
}

// unhold takes the record away from e.
func (sh *shard) unhold(e *entry) {
	if e.record == nil {
		return
	}
	n := e.cost()
	e.queue.state.memory -= n
	sh.memory -= n
	e.record = nil
}

// link puts e into the list of messages in flight.
func (st *queueState) link(e *entry) {
	e.prev, e.next = nil, st.flight
	if st.flight != nil {
		st.flight.prev = e
	}
	st.flight = e
	st.flights++
}

func (st *queueState) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		st.flight = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	st.flights--
}

// reinsert puts the released entries to their places in the order of sequences.
func (st *queueState) reinsert() {
	if len(st.released) == 0 {
		return
	}
	back := st.released
	slices.SortFunc(back, func(a, b *entry) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	// What stands before the last of them is taken out and merged.
	last := back[len(back)-1].seq
	before := st.before[:0]
	for st.ready.len() > 0 && (*st.ready.at(0)).seq < last {
		before = append(before, st.ready.popFront())
	}
	i, j := len(back)-1, len(before)-1
	for i >= 0 || j >= 0 {
		if j < 0 || i >= 0 && back[i].seq > before[j].seq {
			st.ready.pushFront(back[i])
			i--
		} else {
			st.ready.pushFront(before[j])
			j--
		}
	}
	clear(back)
	clear(before)
	st.released, st.before = back[:0], before[:0]
	if cap(st.released) > keepRing {
		st.released = nil
	}
	if cap(st.before) > keepRing {
		st.before = nil
	}
}
