package broker

// Of the consumers of a queue with SingleActive one is active. It stays that
// until it ends, whatever priority others have that come later: so classic queues
// of RabbitMQ do it. Then the one with the highest priority follows, and among
// equals the one that has waited longest. What the old one holds stays its own.

// elect makes c active if its queue lets it be, or, when it is nil, the consumer
// whose turn it is.
func (sh *shard) elect(q *Queue, c *Consumer) {
	st := &q.state
	if q.spec.SingleActive {
		if st.single != nil || st.gone {
			return
		}
		for _, x := range st.consumers {
			if c == nil || x.spec.Priority > c.spec.Priority {
				c = x
			}
		}
		st.single = c
	}
	if c == nil {
		return
	}
	c.active.Store(true)
	if c.spec.Activation {
		sh.inform(q, Event{Kind: Activated, Consumer: c})
	}
	sh.activate(c)
}

// resign lets another consumer follow c, which ended.
func (sh *shard) resign(c *Consumer) {
	c.active.Store(false)
	if q := c.spec.Queue; q.state.single == c {
		q.state.single = nil
		sh.elect(q, nil)
	}
}

// inform tells the session of an event's consumer, behind what the queue has told
// before.
func (sh *shard) inform(q *Queue, e Event) {
	wait := q.state.lastBatch > sh.durable
	if wait {
		q.state.lastBatch = sh.batch.index
	}
	sh.say(wait, release{s: e.Consumer.session, event: e})
}
