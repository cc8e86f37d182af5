package broker

import (
	"slices"

	"coffer/internal/fault"
)

func queueGone(q *Queue) error {
	if q.namespace.moved.Load() {
		return movedError()
	}
	return fault.New(fault.NotFound, "no queue '%s'", q.spec.Name)
}

func queueLocked(q *Queue) error {
	return fault.Wrap(fault.Conflict, ErrLocked, "queue '"+q.spec.Name+"' is exclusive")
}

// consume begins a consumer.
func (sh *shard) consume(r *request) {
	q, c := r.q, r.c
	st := &q.state
	var err error
	switch {
	case r.s.state.closed:
		err = closedError()
	case st.gone || st.frozen || q.namespace != r.s.namespace:
		err = queueGone(q)
	case st.damaged != nil:
		err = st.damaged
	case q.owner != nil && q.owner != r.s:
		err = queueLocked(q)
	case c.spec.Exclusive && q.spec.SingleActive:
		text := "queue '" + q.spec.Name + "' has a single active consumer"
		err = fault.Wrap(fault.Denied, ErrExclusive, text)
	case st.sole != nil || c.spec.Exclusive && len(st.consumers) > 0:
		text := "queue '" + q.spec.Name + "' has an exclusive consumer or others"
		err = fault.Wrap(fault.Denied, ErrExclusive, text)
	default:
		err = q.namespace.consumerQuota()
	}
	if err != nil {
		r.reply <- reply{err: err}
		return
	}
	c.state.credit = max(c.spec.Credit, -1)
	st.consumers = append(st.consumers, c)
	st.join(c)
	c.state.taker.consumer = c
	if c.spec.Match != nil {
		st.choosy(c)
	}
	st.consumed = true
	if c.spec.Exclusive {
		st.sole = c
	}
	if l := c.spec.Shared; l != nil {
		l.consumers = append(l.consumers, c)
	}
	r.s.state.consumers = append(r.s.state.consumers, c)
	q.consumers.Add(1)
	q.namespace.usage.consumers.Add(1)
	sh.elect(q, c)
	r.reply <- reply{}
}

// cancel ends a consumer. The answer stands behind its deliveries that wait for
// a batch.
func (sh *shard) cancel(r *request) {
	c := r.c
	var a reply
	if !c.state.cancelled {
		list := &c.session.state.consumers
		*list = slices.DeleteFunc(*list, func(x *Consumer) bool { return x == c })
		a.unused = sh.unsubscribe(c)
	}
	q := c.spec.Queue
	wait := q.state.lastBatch > sh.durable
	if wait {
		q.state.lastBatch = sh.batch.index
	}
	sh.say(wait, answering(r.reply, a))
}

// unsubscribe takes c away from its queue and reports whether the queue should
// go with it.
func (sh *shard) unsubscribe(c *Consumer) (unused bool) {
	q := c.spec.Queue
	st := &q.state
	if c.state.cancelled {
		return false
	}
	c.state.cancelled = true
	st.consumers = slices.DeleteFunc(st.consumers, func(x *Consumer) bool { return x == c })
	if st.sole == c {
		st.sole = nil
	}
	if l := c.spec.Shared; l != nil {
		l.consumers = slices.DeleteFunc(l.consumers, func(x *Consumer) bool { return x == c })
	}
	q.consumers.Add(-1)
	q.namespace.usage.consumers.Add(-1)
	st.leave(c)
	st.undrain(c)
	if c.spec.Match != nil {
		st.unchoosy(c)
	}
	sh.resign(c)
	sh.use(q)
	sh.show(q)
	return q.spec.AutoDelete && len(st.consumers) == 0 && !st.gone
}

// endConsumers cancels all consumers of q and tells their sessions.
func (sh *shard) endConsumers(q *Queue, err error) {
	all := q.state.consumers
	q.state.consumers = nil // none follows another
	for _, c := range all {
		sh.endConsumer(c, err)
	}
}

// endConsumer cancels a consumer and tells its session.
func (sh *shard) endConsumer(c *Consumer, err error) {
	list := &c.session.state.consumers
	*list = slices.DeleteFunc(*list, func(x *Consumer) bool { return x == c })
	sh.unsubscribe(c)
	sh.inform(c.spec.Queue, Event{Kind: Cancelled, Consumer: c, Err: err})
}

// addCredit changes the credit of a consumer that has a limit.
func (sh *shard) addCredit(c *Consumer, n int) {
	if c.state.credit < 0 {
		return
	}
	c.state.credit = max(c.state.credit+n, 0)
	sh.activate(c)
}
