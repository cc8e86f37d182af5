package broker

import "context"

// step works on the next letter of h. It comes again with the same one while the batch
// becomes full in between.
func (sh *shard) step(h *hand) {
	r := &h.requests[h.at.request]
	if r.kind != reqSettle && r.kind != reqAuto {
		sh.batch.wanted = true
	}
	switch r.kind {
	case reqPublish:
		for r.n > 0 {
			p := &h.pubs[h.at.pub]
			targets := h.targets[h.at.target:][:p.targets]
			if !sh.publish(r.s, p, targets) {
				return
			}
			h.at.pub++
			h.at.target += p.targets
			if r.n--; sh.sated() && r.n > 0 {
				return
			}
		}
	case reqSettle, reqReturn, reqRecalled:
		for r.n > 0 {
			x := h.settles[h.at.settle]
			sh.settle(r.s, x)
			h.at.settle++
			if r.kind == reqRecalled {
				r.s.state.recalled++
			}
			if r.n--; sh.full() && r.n > 0 {
				return
			}
		}
		sh.recall(r)
	case reqCommit:
		if !sh.commit(h, r) {
			return
		}
	case reqArrive:
		if !sh.arrive(r) {
			return
		}
	case reqBring:
		if !sh.bring(r) {
			return
		}
	case reqAbandon:
		if sh.err == nil && !sh.handBack(r) {
			return
		}
		if sh.err != nil {
			sh.control(r)
		}
	case reqAuto:
		sh.settleOpened(r.s)
	case reqClose:
		if sh.err == nil && !sh.closeSession(r) {
			return
		}
		if sh.err != nil {
			sh.control(r)
		}
	default:
		sh.control(r)
	}
	h.at.request++
	if h == &sh.in && r.s != nil {
		r.s.queued.Add(-1)
	}
}

// control works on a letter that is not about messages.
func (sh *shard) control(r *request) {
	if sh.err != nil {
		if r.receive != nil {
			r.receive.reply <- reply{err: sh.err}
		} else if r.reply != nil {
			r.reply <- reply{err: sh.err}
		}
		return
	}
	switch r.kind {
	case reqConsume:
		sh.consume(r)
	case reqConsumers:
		r.reply <- reply{list: r.q.state.list()}
	case reqCancel:
		sh.cancel(r)
	case reqCredit:
		sh.addCredit(r.c, r.n)
	case reqDrain:
		sh.drain(r.c)
	case reqLimit:
		r.limit.max = r.n
		sh.wakeLimit(r.limit)
	case reqGet:
		sh.get(r)
	case reqReceive:
		sh.receive(r.receive)
	case reqLeases:
		sh.settleLeases(r)
	case reqSync:
		sh.pumpAll() // what came before has delivered when Synced comes
		ev := Event{Kind: Synced, Tag: r.tag}
		if r.s.namespace.moved.Load() {
			ev.Err = movedError() // what was asked for may not have been done
		}
		sh.say(sh.busy(), release{s: r.s, event: ev})
	case reqMove:
		sh.beginMove(r)
	case reqLimits:
		sh.setLimits(r)
	case reqTaken:
		sh.delivered(r)
	case reqPurge:
		sh.purge(r)
	case reqFreeze:
		sh.freeze(r)
	case reqThaw:
		r.q.state.frozen, r.q.state.ending = false, false
		sh.use(r.q)
		sh.touch(r.q)
		r.reply <- reply{}
	case reqUse:
		sh.use(r.q)
		r.reply <- reply{}
	case reqMayLeave:
		sh.awaitLeave(r)
	case reqLeave:
		sh.leave(r)
	case reqAside:
		sh.aside(r)
	case reqDrop:
		sh.say(true, answering(r.reply, reply{count: sh.drop(r.q)}))
	default:
		sh.beside(r)
	}
}

// beside works on a letter of somebody who reads the store beside the owner.
func (sh *shard) beside(r *request) {
	switch r.kind {
	case reqErase:
		sh.eraseMoved(r)
	case reqWatch:
		sh.watch = &watch{keys: map[string]struct{}{}}
		r.reply <- reply{}
	case reqRewrite:
		sh.rewrite(r)
	case reqCensus:
		sh.beginCensus(r)
	}
}

// urgent works on a letter that did not wait for room.
func (sh *shard) urgent(r *request) {
	if r.kind != reqTick && r.kind != reqDrained {
		sh.batch.wanted = true
	}
	switch r.kind {
	case reqDrained:
		sh.wakeSession(r.s)
	case reqRead:
		sh.finishRead(r.read)
	case reqLock:
		sh.lock(r.ns)
	case reqMoveEnd:
		sh.endMove(r.move, 0, context.Canceled)
	case reqWithdraw:
		sh.withdraw(r.receive)
	case reqForget:
		sh.forget(r.namespace, r.ns, r.ids)
	case reqTick:
		sh.timer, sh.timerAt = nil, 0
	case reqStop:
		sh.stopping = r.reply
	}
}

// lock notes that a domain was locked or opened.
func (sh *shard) lock(n *Namespace) {
	if n.moved.Load() {
		return
	}
	n.locked = n.domain.Locked() != nil
	sh.turn(n, n.locked)
	n.Topology().Queues(func(q *Queue) bool {
		sh.reconsider(q)
		st := &q.state
		if !n.locked || st.gets.len() > 0 || st.receivers.len() > 0 ||
			len(st.leases.heap) > 0 || st.limits.Idle.Set {
			sh.touch(q)
		}
		return true
	})
}
