package broker

// queueState is the owner's side of a queue. Sequences grow with every publish
// and are the order of the queue:
//
//	released and ready … | gap: in the store only | tail …
//
// ready holds entries below gap.from, in flight ones are below it too, and tail
// those from gap.to on. Without a gap there is no tail.
type queueState struct {
	ready    ring[*entry]
	released []*entry // to be put into ready by reinsert
	before   []*entry // scratch of reinsert
	gap      gap
	tail     ring[*entry]
	next     uint64 // sequence of the next message, from 1

	flight  *entry // list of those in flight, in no order
	flights int
	top     uint64 // in flight ones are below

	// What the queue record says, for stored queues.
	depth     int64
	bytes     int64
	first     uint64 // a bound: no stored message is lower
	delivered uint64
	settles   int    // since first was computed
	boot      uint64 // delivered as of the start: below is redelivered

	memory    int64  // cost of records held
	spills    bool   // class 0x11 may hold messages of it
	lastBatch uint64 // newest batch that has events of it
	dirty     bool   // in the open batch's list
	touched   bool   // in the owner's list

	gen     uint32 // counts purges, so that an older read is not used
	reading bool
	wants   bool // in the owner's list of reads to begin
	page    int  // entries of the last page

	consumers []*Consumer
	active    ring[*Consumer] // may have room for a delivery
	gets      ring[request]   // waiting for a read
	sole      *Consumer       // exclusive
	consumed  bool            // it had a consumer once

	frozen  bool // being deleted
	gone    bool
	damaged error

	older, newer *Queue // by last use, of those with memory
	listed       bool
}

// gap is the part of a queue that is in the store only: messages with
// from <= sequence < to.
type gap struct {
	from, to uint64
	count    int64
	bytes    int64 // cost, as far as it is known
}

// sessionState is the owner's side of a session.
type sessionState struct {
	slots     []slot
	free      []uint32 // slots
	unsettled int
	consumers []*Consumer
	lastBatch uint64 // newest batch that has a confirm of it
	stalled   bool   // some consumers wait for room in the outbox, a slot or a recall
	closed    bool

	// A Return recalls what is on its way to Next, lest it overtake what returns.
	epoch     uint32 // Returns so far
	assigned  uint64 // deliveries to consumers so far
	fresh     uint64 // of those, taken by Next before the latest Return
	recalled  uint64 // of those, given back by Next because they were stale
	recalling bool   // some are neither: nothing is assigned
}

// slot is a delivery in flight.
type slot struct {
	entry    *entry // nil: free
	consumer *Consumer
	gen      uint32
}

// consumerState is the owner's side of a consumer.
type consumerState struct {
	credit    int // negative: unlimited
	active    bool
	cancelled bool
}

// take gives a slot for e. Generations begin at 1, so that no reference is zero.
func (st *sessionState) take(e *entry, c *Consumer) DeliveryRef {
	var i uint32
	if n := len(st.free); n > 0 {
		i = st.free[n-1]
		st.free = st.free[:n-1]
	} else {
		i = uint32(len(st.slots))
		st.slots = append(st.slots, slot{})
	}
	sl := &st.slots[i]
	sl.entry, sl.consumer = e, c
	sl.gen++
	st.unsettled++
	return DeliveryRef{i, sl.gen}
}

// put frees the slot of ref and gives what was in it; nil when it is stale.
func (st *sessionState) put(ref DeliveryRef) (*entry, *Consumer) {
	if int(ref.slot) >= len(st.slots) {
		return nil, nil
	}
	sl := &st.slots[ref.slot]
	if sl.gen != ref.gen || sl.entry == nil {
		return nil, nil
	}
	e, c := sl.entry, sl.consumer
	sl.entry, sl.consumer = nil, nil
	st.free = append(st.free, ref.slot)
	st.unsettled--
	return e, c
}
