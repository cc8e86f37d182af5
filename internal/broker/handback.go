package broker

// handBack releases all that a consumer holds and ends it. It returns false when the
// batch became full in between, and then comes again for the rest; meanwhile the
// consumer stays the active one, and takes nothing.
func (sh *shard) handBack(r *request) (done bool) {
	c := r.c
	s := c.session
	c.state.abandoned = true
	for ; r.n < len(s.state.slots); r.n++ {
		if sh.full() {
			return false
		}
		if sl := &s.state.slots[r.n]; sl.entry != nil && sl.consumer == c {
			ref := DeliveryRef{uint32(r.n), sl.gen}
			sh.settle(s, Settlement{Ref: ref, Outcome: Release})
		}
	}
	sh.cancel(r)
	return true
}
