package broker

// taker is who may be given messages: a consumer, or a call of Get or of its
// kind, which has a number of its own. It is what a group of messages is held by.
type taker struct {
	consumer *Consumer
	call     uint64
}

// newCall gives the taker for a call. All that it takes under this name may be of
// one group.
func (sh *shard) newCall() taker {
	sh.calls++
	return taker{call: sh.calls}
}

// pick takes the next message that t may have now out of those that are ready,
// with its record; whoever calls it assigns the message or puts it back. Without
// one, wait tells that the answer is in the store: the caller asks again when the
// queue is pumped after a read. It is the only way to a message for its taker.
func (sh *shard) pick(q *Queue, t taker) (e *entry, wait bool) {
	l := q.state.first()
	if l == nil {
		return nil, false
	}
	if _, ok := l.head(); !ok {
		return nil, true
	}
	return l.ready.popFront(), false
}

// serve answers those who get.
func (sh *shard) serve(q *Queue) {
	gets := &q.state.gets
	for gets.len() > 0 {
		if r := gets.at(0); r.s.state.closed {
			r.reply <- reply{err: closedError()}
			gets.popFront()
			continue
		}
		e, wait := sh.pick(q, sh.newCall())
		if wait {
			return
		}
		if r := gets.popFront(); e == nil {
			r.reply <- reply{}
		} else {
			sh.answer(q, r, e)
		}
	}
}

// offer delivers to consumers in turn.
func (sh *shard) offer(q *Queue) {
	st := &q.state
	for {
		l := st.first()
		if l == nil {
			return
		}
		if _, ok := l.head(); !ok {
			return
		}
		c := sh.consumerOf(st)
		if c == nil {
			return
		}
		e, _ := sh.pick(q, taker{consumer: c})
		sh.deliver(c, e)
	}
}
