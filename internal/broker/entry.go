package broker

// entry is a message of one queue that the owner has in memory: ready, or in
// flight. Entries belong to the owner and are used again.
type entry struct {
	lane   *lane
	seq    uint64
	record []byte // nil: it must be read from the store before it is delivered
	size   int    // bytes of the record, whether it is here or not
	facts

	durable     bool // stored in class 0x10
	spilled     bool // stored in class 0x11
	counted     bool // class 0x10 may hold its count
	bare        bool // read from its lease or mark: address, key and history are not known
	redelivered bool
	dead        bool   // in flight, but its queue was deleted
	held        bool   // counted in its group, with a taker
	loose       bool   // counted in its group, ready before others of it
	refused     uint64 // bits of the consumers that do not want it
	marked      bool   // stored as dead beside the message
	why         Reason // of a dead one

	receipt  uint64 // of the last receive of this run, or the one it is leased by
	referred bool   // what lies apart knows of it, at the entry's key
	common   *body  // of a fan-out that shares the record in memory, or bury's

	prev, next *entry // in flight: the list of its queue; next also: free list; parked: the same
}

// entryOverhead is about what an entry needs besides its bytes.
const entryOverhead = 192

// cost is what the message takes of a window.
func cost(record int, address, key string) int64 {
	return int64(record + len(address) + len(key) + entryOverhead)
}

func (e *entry) cost() int64 {
	n := cost(e.size, e.address, e.key)
	if e.extra != nil { // of few messages; deaths may be more than the rest
		n += sizeOf(e.extra.copies) + e.extra.history.cost()
	}
	return n
}

// stored reports whether the entry's record can be read from the store.
func (e *entry) stored() bool { return e.durable || e.spilled }

// storeKey appends the key of the entry.
func (e *entry) storeKey(dst []byte) []byte {
	return entryKey(dst, e.class(), e.lane.queue.id, e.lane.priority, e.seq)
}

func (e *entry) class() class {
	if e.durable {
		return classDurable
	}
	return classSpilled
}

func (sh *shard) newEntry(l *lane) *entry {
	e := sh.freeEntries
	if e == nil {
		return &entry{lane: l}
	}
	sh.freeEntries = e.next
	sh.freeCount--
	*e = entry{lane: l}
	return e
}

// keepEntries bounds the free list.
const keepEntries = 1 << 14

func (sh *shard) freeEntry(e *entry) {
	sh.ungroup(e)
	*e = entry{}
	if sh.freeCount < keepEntries {
		e.next = sh.freeEntries
		sh.freeEntries = e
		sh.freeCount++
	}
}

// hold counts the record of e as memory: of its queue, and of the shard, for
// which a record that a fan-out shares counts once.
func (sh *shard) hold(e *entry) {
	n := e.cost()
	e.lane.queue.state.memory += n
	if b := e.common; b != nil {
		if b.held++; b.held > 1 {
			n -= int64(e.size)
		}
	}
	sh.memory += n
}

// unhold takes the record away from e.
func (sh *shard) unhold(e *entry) {
	if e.record == nil {
		return
	}
	n := e.cost()
	e.lane.queue.state.memory -= n
	if b := e.common; b != nil { // what is read again is a copy
		e.common = nil
		if b.held--; b.held > 0 {
			n -= int64(e.size)
		}
	}
	sh.memory -= n
	e.record = nil
}
