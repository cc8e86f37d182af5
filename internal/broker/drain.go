package broker

// Drain takes a consumer's credit away once all that the queue can deliver to it now
// was delivered: a Drained event follows those deliveries and tells in Tag how much
// credit was left. Credit that comes before the event is taken along. A consumer
// without a limit keeps what it has. What is ended gets no event but Cancelled.
func (s *Session) Drain(c *Consumer) { s.tell(request{kind: reqDrain, c: c}) }

// drain begins it; the pump ends it.
func (sh *shard) drain(c *Consumer) {
	if c.state.cancelled || c.state.draining {
		return
	}
	c.state.draining = true
	c.spec.Queue.state.drains++
	sh.touch(c.spec.Queue)
}

// finishDrains tells the consumers to which nothing more can come. open tells that the
// queue delivers at all.
func (sh *shard) finishDrains(q *Queue, open bool) {
	st := &q.state
	if st.drains == 0 {
		return
	}
	more := false
	if open {
		l, wait := sh.servable(q)
		more = (l != nil || wait) && !st.choosing(q)
	}
	for _, c := range st.consumers {
		if !c.state.draining || more && c.state.credit > 0 && c.active.Load() {
			continue
		}
		st.undrain(c)
		left := max(c.state.credit, 0)
		if c.state.credit > 0 {
			c.state.credit = 0
		}
		sh.inform(q, Event{Kind: Drained, Consumer: c, Tag: uint64(left)})
	}
}

// undrain takes c out of the count of those that drain.
func (st *queueState) undrain(c *Consumer) {
	if c.state.draining {
		c.state.draining = false
		st.drains--
	}
}
