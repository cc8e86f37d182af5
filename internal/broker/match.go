package broker

import (
	"fmt"
	"math/bits"
	"slices"
)

// A consumer with a Match remembers how far it has looked at each lane, and each
// message that was looked at remembers by whom it was refused: a released one
// takes its place among those, and must be asked about without asking about all
// again. Messages that nobody wants stay in ready. They are forgotten when they
// leave memory, and all when the domain is locked or opened: a door that cannot
// open a message has to say no.

// maxMatch bounds the consumers of a queue whose refusals messages remember.
const maxMatch = 64

// liking is what a taker thinks of a message.
type liking uint8

const (
	no liking = iota
	yes
	unknown // it cannot say now
)

// likes asks whether t wants e, whose record is here.
func (sh *shard) likes(t *taker, e *entry) liking {
	c := t.consumer
	if c == nil || c.spec.Match == nil {
		return yes
	}
	if e.refused&c.state.bit != 0 {
		return no
	}
	sh.steps--
	wants, err := sh.match(c, e)
	switch {
	case err != nil:
		c.state.failed = err
		sh.failed = append(sh.failed, c)
		return unknown
	case wants:
		return yes
	case e.lane.queue.namespace.domain.Locked() != nil:
		return unknown // nothing could be seen
	}
	e.refused |= c.state.bit
	return no
}

// match calls Match.
func (sh *shard) match(c *Consumer, e *entry) (wants bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("broker: match of a consumer panicked: %v", r)
		}
		sh.probe = Delivery{}
	}()
	sh.probe = e.lane.queue.delivery(e)
	sh.probe.Consumer, sh.probe.session = c.spec.Ref, c.session
	return c.spec.Match(&sh.probe), nil
}

// endFailed ends the consumers whose Match panicked.
func (sh *shard) endFailed() {
	for len(sh.failed) > 0 {
		c := sh.failed[len(sh.failed)-1]
		sh.failed = sh.failed[:len(sh.failed)-1]
		if !c.state.cancelled {
			sh.endConsumer(c, c.state.failed)
		}
	}
}

// choosy begins to remember what c refuses.
func (st *queueState) choosy(c *Consumer) {
	st.choosers++
	c.state.seen = map[*lane]uint64{}
	if free := ^st.bits; free != 0 {
		c.state.bit = 1 << bits.TrailingZeros64(free)
		st.bits |= c.state.bit
	}
}

// unchoosy forgets what c refused.
func (st *queueState) unchoosy(c *Consumer) {
	st.choosers--
	st.bits &^= c.state.bit
	st.forget(c.state.bit)
}

// forget clears refusals.
func (st *queueState) forget(bit uint64) {
	for _, l := range st.lanes {
		for i := range l.ready.len() {
			(*l.ready.at(i)).refused &^= bit
		}
		for _, e := range l.released {
			e.refused &^= bit
		}
		for e := l.parked; e != nil; e = e.next {
			e.refused &^= bit
		}
	}
}

// reconsider lets all consumers look at everything again.
func (sh *shard) reconsider(q *Queue) {
	st := &q.state
	if st.choosers == 0 {
		return
	}
	st.forget(^uint64(0))
	for _, c := range st.consumers {
		clear(c.state.seen)
	}
	for _, g := range st.groups {
		g.refused = nil
		g.enlist()
	}
}

// lookBack makes the consumers look at what was released.
func (l *lane) lookBack() {
	st := &l.queue.state
	if st.choosers == 0 || len(l.released) == 0 {
		return
	}
	low := slices.MinFunc(l.released, func(a, b *entry) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	}).seq
	for _, c := range st.consumers {
		if seen, ok := c.state.seen[l]; ok && seen > low {
			c.state.seen[l] = low
		}
	}
}

// passed notes that t refused e, which stays in ready.
func (sh *shard) passed(t *taker, e *entry) {
	t.consumer.state.seen[e.lane] = e.seq + 1
	if g := e.lane.queue.state.enter(e); g != nil {
		g.loosen(e)
	}
	sh.slim(e)
}
