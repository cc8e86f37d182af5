package broker

// group is a group of which messages are in flight, or that waits for such ones.
// It is forgotten when neither is the case.
//
// Its messages go to one taker at a time and in their order: by priority, then
// by sequence. One that is met and may not go is parked: taken out of ready, so
// that it is not met again. A message that waits in ready while later ones of its
// group are parked is loose, and those that are parked wait for it.
type group struct {
	name   string
	holder *taker // of those in flight
	held   int    // in flight
	loose  ring[*entry]
	parked ring[*entry]
	// refused is the first of parked when the holder does not want it.
	refused *entry
	mine    int // index among the groups of the holder, from 1; 0: not there
}

// MaxParked bounds the messages of one queue that are set aside because their
// group is with another receiver, and how far ahead is looked for a message that
// a consumer with a selector wants. Behind so many the queue waits, as a FIFO
// queue of SQS does.
const MaxParked = 20_000

// precedes is the order within a group.
func (e *entry) precedes(x *entry) bool {
	if p := e.lane.priority; p != x.lane.priority {
		return p > x.lane.priority
	}
	return e.seq < x.seq
}

// rank gives the index of e in a list in the order of its group, or where it
// would stand.
func rank(r *ring[*entry], e *entry) int {
	lo, hi := 0, r.len()
	for lo < hi {
		if mid := (lo + hi) / 2; (*r.at(mid)).precedes(e) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (st *queueState) groupOf(e *entry) *group {
	if e.extra == nil || e.extra.group == "" {
		return nil
	}
	return st.groups[e.extra.group]
}

// eligible reports whether its group lets e, which waits in ready, go to t.
func (st *queueState) eligible(e *entry, t *taker) bool {
	g := st.groupOf(e)
	switch {
	case g == nil:
		return true
	case g.held > 0 && g.holder != t,
		g.parked.len() > 0 && (*g.parked.at(0)).precedes(e),
		g.loose.len() > 0 && (*g.loose.at(0)).precedes(e):
		return false
	}
	return true
}

// enter gives the group of e, or nil when it has none.
func (st *queueState) enter(e *entry) *group {
	name := e.group()
	if name == "" || !e.lane.queue.spec.Groups {
		return nil
	}
	g := st.groups[name]
	if g == nil {
		if st.groups == nil {
			st.groups = map[string]*group{}
		}
		g = &group{name: name}
		st.groups[name] = g
	}
	return g
}

// seize notes that t has e, which is neither ready nor parked: its group is with
// t until all that t has of it went back or away.
func (sh *shard) seize(e *entry, t *taker) {
	st := &e.lane.queue.state
	g := st.enter(e)
	if g == nil {
		return
	}
	g.tighten(e)
	g.held++
	g.holder, e.held = t, true
	g.enlist()
}

// reseize is seize for what was leased when the process ended: the group is with
// its leases, not with a call.
func (st *queueState) reseize(e *entry) {
	g := st.enter(e)
	if g == nil {
		return
	}
	if g.holder == nil {
		g.holder = &taker{}
	}
	g.held++
	e.held = true
}

// orphan leaves the group of e, which is released with a delay, with nobody: its
// taker must not have what follows e.
func (sh *shard) orphan(e *entry) {
	if g := e.lane.queue.state.groupOf(e); g != nil && e.held {
		g.unlist()
		g.holder = &taker{}
		g.enlist()
	}
}

// ungroup notes that e, which goes away, is not with a taker any more, nor loose.
func (sh *shard) ungroup(e *entry) {
	if !e.held && !e.loose {
		return
	}
	if g := e.lane.queue.state.groupOf(e); g != nil { // else the queue was deleted
		g.tighten(e)
		sh.unhand(g, e)
	}
}

// regroup notes that e goes back to ready.
func (sh *shard) regroup(e *entry) {
	if g := e.lane.queue.state.groupOf(e); g != nil && e.held {
		if g.parked.len() > 0 {
			g.loosen(e)
		}
		sh.unhand(g, e)
	}
}

// unhand takes e off its taker. The next of the group may follow.
func (sh *shard) unhand(g *group, e *entry) {
	q := e.lane.queue
	st := &q.state
	if e.held {
		e.held = false
		g.held--
	}
	sh.touch(q)
	if g.held > 0 {
		g.enlist()
		return
	}
	g.unlist()
	g.holder, g.refused = nil, nil
	switch {
	case g.parkedFirst():
		sh.unpark(g)
	case g.loose.len() == 0:
		delete(st.groups, g.name)
	}
}

// parkedFirst reports whether the first that waits is parked.
func (g *group) parkedFirst() bool {
	return g.parked.len() > 0 &&
		(g.loose.len() == 0 || (*g.parked.at(0)).precedes(*g.loose.at(0)))
}

// offers reports whether there is something parked for the holder.
func (g *group) offers() bool {
	return g.parkedFirst() && *g.parked.at(0) != g.refused
}

// loosen notes that e waits in ready, or is about to, before others of its group.
func (g *group) loosen(e *entry) {
	if !e.loose {
		e.loose = true
		g.loose.insert(rank(&g.loose, e), e)
		e.lane.top = max(e.lane.top, e.seq+1) // it must not join the gap
	}
}

// tighten is the reverse of loosen.
func (g *group) tighten(e *entry) {
	if e.loose {
		e.loose = false
		g.loose.remove(rank(&g.loose, e))
	}
}

// park sets e aside, which was taken out of ready.
func (sh *shard) park(e *entry) {
	l := e.lane
	st := &l.queue.state
	g := st.enter(e)
	g.tighten(e)
	g.parked.insert(rank(&g.parked, e), e)
	e.prev, e.next = nil, l.parked
	if l.parked != nil {
		l.parked.prev = e
	}
	l.parked = e
	l.parks++
	st.parked++
	l.top = max(l.top, e.seq+1)
	sh.slim(e)
	if g.enlist(); g.mine > 0 && g.holder.waiting() {
		sh.touch(l.queue) // it may have been asked before
	}
}

// unpark puts the first parked message of g back to its place.
func (sh *shard) unpark(g *group) {
	e := g.takeParked(0)
	g.loosen(e)
	e.lane.released = append(e.lane.released, e)
	sh.touch(e.lane.queue)
}

// unparkSeq puts the message with this sequence back to its place, if it is
// parked.
func (l *lane) unparkSeq(seq uint64) {
	for e := l.parked; e != nil; e = e.next {
		if e.seq == seq {
			g := l.queue.state.groupOf(e)
			g.takeParked(rank(&g.parked, e))
			g.loosen(e)
			l.released = append(l.released, e)
			return
		}
	}
}

// takeParked takes one of the parked messages of g away.
func (g *group) takeParked(i int) *entry {
	e := *g.parked.at(i)
	g.parked.remove(i)
	if g.refused == e {
		g.refused = nil
	}
	l := e.lane
	cut(&l.parked, e)
	l.parks--
	l.queue.state.parked--
	return e
}

// unparkAll puts all parked messages back to ready, for those who remove them.
func (sh *shard) unparkAll(q *Queue) {
	for _, g := range q.state.groups {
		for g.parked.len() > 0 {
			e := g.takeParked(0)
			e.lane.released = append(e.lane.released, e)
		}
	}
}

// slim takes the record of a message that was set aside out of memory when that
// is short.
func (sh *shard) slim(e *entry) {
	if sh.crowded() || e.lane.queue.state.memory > sh.core.cfg.QueueBytes/4*3 {
		sh.dropRecord(e)
	}
}

// enlist lets the holder of g have what is parked of it.
func (g *group) enlist() {
	if g.held > 0 && g.mine == 0 && g.offers() {
		g.holder.groups = append(g.holder.groups, g)
		g.mine = len(g.holder.groups)
	}
}

func (g *group) unlist() {
	if g.mine == 0 {
		return
	}
	list := g.holder.groups
	last := list[len(list)-1]
	list[g.mine-1], last.mine = last, g.mine
	list[len(list)-1] = nil
	g.holder.groups, g.mine = list[:len(list)-1], 0
}

// pickParked takes the first message that is parked in a group that t holds, if t
// wants it. Records that are missing are read where they are: a message that went
// to ready for that would be met, and parked again, by others.
func (sh *shard) pickParked(t *taker) (e *entry, wait bool) {
	for i := len(t.groups) - 1; i >= 0; i-- {
		g := t.groups[i]
		if !g.offers() {
			g.unlist()
			continue
		}
		e := *g.parked.at(0)
		if sh.over(e) { // it goes when it is met
			sh.unpark(g)
			continue
		}
		q := e.lane.queue
		if open := q.opens(e); open > q.namespace.clock.now(sh.time) {
			sh.wakeAt(q, q.namespace.clock.shardTime(open))
			continue
		}
		if e.record == nil {
			e.lane.fetch, wait = g.name, true
			continue
		}
		switch sh.likes(t, e) {
		case yes:
			g.takeParked(0)
			return e, false
		case no:
			g.refused = e
			g.unlist()
		case unknown:
			return nil, true
		}
	}
	return nil, wait
}

// missingParked gives the parked messages that somebody waits for, and that must be
// read.
func (l *lane) missingParked(bytes int) (list []*entry) {
	g := l.queue.state.groups[l.fetch]
	if l.fetch == "" || g == nil {
		return nil
	}
	for i := 0; i < g.parked.len() && bytes > 0 && len(list) < maxPage; i++ {
		if e := *g.parked.at(i); e.lane == l && e.record == nil {
			list = append(list, e)
			bytes -= e.size
		}
	}
	return list
}
