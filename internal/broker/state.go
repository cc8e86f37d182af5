package broker

// queueState is the owner's side of a queue.
type queueState struct {
	lanes []*lane // by priority, the highest first
	only  lane    // the first of them
	next  uint64  // sequence of the next message, from 1

	held      int64  // messages, in flight or not
	heldBody  int64  // bytes of their bodies
	memory    int64  // cost of records held
	body      int64  // bytes of the bodies that wait
	spills    bool   // class 0x11 may hold messages of it
	lastBatch uint64 // newest batch that has events of it
	selection uint32 // at which selected was asked
	selected  Deeds  // must be on record
	dirty     bool   // in the open batch's list
	touched   bool   // in the owner's list

	consumers []*Consumer
	circles   []*circle // of the consumers, the highest priority first
	choosers  int       // consumers with a Match
	drains    int       // consumers that drain
	bits      uint64    // of theirs
	groups    map[string]*group
	parked    int           // messages set aside by groups
	single    *Consumer     // the active one of a queue with SingleActive
	gets      ring[request] // waiting for a read
	sole      *Consumer     // exclusive
	consumed  bool          // it had a consumer once

	moves     []*Move
	receivers ring[*receiver]
	waitsEnd  int64 // shard time at which the wait of a receiver ends, or earlier
	leases    leases
	delayed   delayed
	gate      gate
	turn      uint8 // priority of the lane that had its turn, of a queue with Fair

	figures [figures]int64
	unseen  int64 // deliveries that were counted and will be made again
	stale   bool  // in the owner's list of those to be shown

	limits Limits
	slice  int    // messages that this look may still remove
	used   int64  // shard time of the last use; 0: none yet
	ending bool   // asked to be deleted, because nobody used it
	dedup  *dedup // nil: it saw no ids
	alarm  int64  // shard time at which the queue wants a look; 0: none
	soon   bool   // in the owner's list of those that want another slice

	frozen  bool // being deleted
	gone    bool
	damaged error

	older, newer *Queue // by last use, of those with memory
	listed       bool
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
	left      int      // slots that its end has been through
	unused    []*Queue // queues that its end leaves without use
	receivers map[*receiver]struct{}

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
	circle    *circle
	active    bool // in the ring of its circle
	cancelled bool
	draining  bool // its credit goes when nothing more can come
	abandoned bool // it gives back what it holds and takes nothing more
	taker     taker
	seen      map[*lane]uint64 // with a Match: what lies below was asked about
	bit       uint64           // of entry.refused; 0: none is left for it
	failed    error            // its Match panicked
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

// peek gives what is in the slot of ref; nil when it is stale.
func (st *sessionState) peek(ref DeliveryRef) *entry {
	if int(ref.slot) >= len(st.slots) || st.slots[ref.slot].gen != ref.gen {
		return nil
	}
	return st.slots[ref.slot].entry
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
