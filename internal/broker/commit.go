package broker

import (
	"context"

	"coffer/internal/fault"
	"coffer/internal/store"
)

// Transaction is what one batch does as a whole or not at all.
type Transaction struct {
	// Publishings are in their queues in this order, at the time of the commit. Their
	// Tag and Confirm are not used. Targets may be queues of other namespaces with the
	// same domain: those of another shard get the message later, once, in order.
	Publishings []Publishing
	Settlements []Settlement // of deliveries of the session
}

// Bounds of a transaction. A batch that is open has room for one.
const (
	MaxTransactionBytes = store.MaxBatch / 2 // as they are stored, one copy for each target
	MaxTransactionCount = 1 << 16            // copies and settlements
)

// besideRecord is more than what a copy stores beside record, names and group, in
// bytes.
const besideRecord = 512

// Commit takes t over; its slices stay the caller's. A Committed event with tag
// tells that all of it is durable, or with Err that nothing of it was done:
// fault.NotFound when a target is being deleted, fault.Exhausted when a target,
// the namespace or the shard does not take a message, fault.Invalid for one that
// is not sealed. What it causes to be delivered comes after that event.
// Settlements that are not in flight are ignored, as by Settle.
//
// Commit waits as Publish does, until all of t has room. An error means that
// nothing was taken over and no event comes: fault.Exhausted over the bounds of a
// transaction.
func (s *Session) Commit(ctx context.Context, t Transaction, tag uint64) error {
	if s.closed.Load() {
		return closedError()
	}
	if err := t.check(s.namespace); err != nil {
		return err
	}
	if err := s.admitAll(ctx, t.Publishings); err != nil {
		return err
	}
	return s.shard.mail.commit(s, &t, tag)
}

// StoredSize is what each copy of m counts towards MaxTransactionBytes.
func (m *Message) StoredSize() int {
	return len(m.Record) + len(m.Address) + len(m.Key) + len(m.Group) + besideRecord +
		int(sizeOf(m.Copies))
}

func (t *Transaction) check(n *Namespace) error {
	count, bytes := len(t.Settlements), 0
	for i := range t.Publishings {
		p := &t.Publishings[i]
		m := &p.Message
		count += len(p.Targets)
		bytes += m.StoredSize() * len(p.Targets)
	}
	switch {
	case count+len(t.Publishings) > MaxTransactionCount:
		return fault.New(fault.Exhausted, "more than %d messages and settlements in a transaction",
			MaxTransactionCount)
	case bytes > MaxTransactionBytes:
		return fault.New(fault.Exhausted, "more than %d bytes in a transaction",
			MaxTransactionBytes)
	}
	for i := range t.Publishings {
		for _, q := range t.Publishings[i].Targets {
			if err := sameDomain(n, q.namespace); err != nil {
				return err
			}
		}
	}
	return nil
}

// admitAll waits until all publishings have room.
func (s *Session) admitAll(ctx context.Context, pubs []Publishing) error {
	count, bytes := int64(len(pubs)), recordBytes(pubs)
	if count == 0 {
		return nil
	}
	if err := s.window.acquireAll(ctx, count, bytes); err != nil {
		return err
	}
	err := s.shard.publishing.acquireAll(ctx, count, bytes)
	if err != nil {
		s.window.release(count, bytes)
	}
	return err
}

func recordBytes(pubs []Publishing) (n int64) {
	for i := range pubs {
		n += pubs[i].Message.Weight()
	}
	return n
}

// commit does a transaction in the open batch, which has room for it: no step
// begins with a full one. What large messages store apart comes before: while that
// fills batches, it returns false and comes again.
func (sh *shard) commit(h *hand, r *request) (done bool) {
	pubs := h.pubs[h.at.pub:][:r.n]
	settles := h.settles[h.at.settle:][:r.settles]
	n, bytes := 0, int64(0)
	for i := range pubs {
		n += pubs[i].targets
		bytes += pubs[i].msg.Weight()
	}
	targets := h.targets[h.at.target:][:n]
	err := sh.refuseCommit(r.s, pubs, targets)
	if err == nil && !sh.prepare(r, pubs) {
		return false
	}
	h.at.pub += len(pubs)
	h.at.settle += len(settles)
	h.at.target += n
	out := release{s: r.s, count: int64(len(pubs)), bytes: bytes}
	out.event = Event{Kind: Committed, Tag: r.tag}
	if out.event.Err = err; err == nil {
		sh.await(len(pubs))
		sh.apply(r, pubs, targets)
		sh.settleAll(r.s, settles)
	}
	for i := range r.fans {
		if b := r.fans[i].body; b != nil {
			sh.unpin(b)
		}
	}
	r.s.state.lastBatch = sh.batch.index
	sh.say(true, out)
	return true
}

// prepare stores the parts of large messages.
func (sh *shard) prepare(r *request, pubs []publishing) (done bool) {
	for ; r.prepared < len(pubs); r.prepared++ {
		p := &pubs[r.prepared]
		if len(p.msg.Record) <= shareBytes && len(p.msg.Chunks) == 0 {
			continue
		}
		if r.fans == nil {
			r.fans = make([]fan, len(pubs))
		}
		f := &r.fans[r.prepared]
		if !f.begun {
			f.begun = true
			f.body, f.apart = sh.newBody(&p.msg, p.targets)
		}
		sh.fan = *f
		done := sh.writeParts(&p.msg)
		*f, sh.fan = sh.fan, fan{}
		if !done {
			return false
		}
	}
	return true
}

// refuseCommit gives the reason why a transaction cannot be done.
func (sh *shard) refuseCommit(s *Session, pubs []publishing, targets []*Queue) error {
	if s.state.closed {
		return closedError()
	}
	if s.namespace.moved.Load() {
		return movedError()
	}
	var w wanted
	for i := range pubs {
		p := &pubs[i]
		if err := sh.admissible(&p.msg); err != nil {
			return err
		}
		for _, q := range targets[:p.targets] {
			if err := sh.reachable(s.namespace, q, &p.msg); err != nil {
				return err
			}
		}
		w.add(sh, s.namespace, &p.msg, targets[:p.targets])
		w.fill(sh, &p.msg, targets[:p.targets])
		targets = targets[p.targets:]
	}
	for q, l := range w.queues {
		if q.state.touched { // consumers may take what is there
			sh.pump(q)
		}
		if q.exceeds(l.count, l.body) {
			return fault.New(fault.Exhausted, "queue '%s' is full", q.spec.Name)
		}
	}
	return w.refused(sh, s.namespace)
}

// reachable reports why a transaction of n cannot send m to q. A queue of another
// shard is looked at when the message arrives there.
func (sh *shard) reachable(n *Namespace, q *Queue, m *Message) error {
	if slot := sh.way(n, q.namespace); slot != nil &&
		sh.courierTo(slot).backlog() >= maxParcels {
		return fault.New(fault.Exhausted, "too many messages on their way to another shard")
	}
	if q.namespace.shard != sh {
		return nil
	}
	if q.state.frozen || q.state.gone {
		return queueGone(q)
	}
	if q.namespace != n {
		return q.namespace.overQuota(1, int64(m.Body))
	}
	return nil
}

// apply publishes what a transaction publishes. What its queues deliver from now on
// stands behind its event.
func (sh *shard) apply(r *request, pubs []publishing, targets []*Queue) {
	for i := range pubs {
		p := &pubs[i]
		sh.counters.published.Add(1)
		if p.targets == 0 {
			sh.counters.unrouted.Add(1)
		}
		if r.fans != nil {
			p.msg.apart = r.fans[i].apart
		}
		for _, q := range targets[:p.targets] {
			if slot := sh.way(r.s.namespace, q.namespace); slot != nil {
				sh.send(r.s.namespace, slot, q.parcel(&p.msg, nil))
				continue
			}
			q.state.lastBatch = sh.batch.index
			p := sh.put(q, &p.msg)
			if sh.recorded(r.s, q, Publishes) {
				sh.record(r.s, q, Publishes, 0, DeedMessage{p.sequence, p.message})
			}
		}
		targets = targets[p.targets:]
	}
}

// settleAll settles what a transaction settles. The same is true of what that lets be
// delivered.
func (sh *shard) settleAll(s *Session, settles []Settlement) {
	for _, x := range settles {
		if e := s.state.peek(x.Ref); e != nil {
			e.lane.queue.state.lastBatch = sh.batch.index
		}
		sh.settle(s, x)
	}
	if len(settles) > 0 { // these have credit again
		for _, c := range s.state.consumers {
			c.spec.Queue.state.lastBatch = sh.batch.index
		}
	}
}

// wanted is what a publish or a transaction takes of the bounds that refuse.
type wanted struct {
	messages int64
	bytes    int64
	ids      int64
	queues   map[*Queue]load // with a length at which they refuse
}

type load struct{ count, body int64 }

func (w *wanted) add(sh *shard, n *Namespace, m *Message, targets []*Queue) {
	for _, q := range targets {
		if q.namespace == n {
			w.messages++
			w.bytes += int64(m.Body)
		}
	}
	w.ids += sh.newIDs(m, targets)
}

// fill adds up what goes to each queue that refuses.
func (w *wanted) fill(sh *shard, m *Message, targets []*Queue) {
	for _, q := range targets {
		if q.namespace.shard == sh && q.state.limits.Overflow != DropHead {
			if w.queues == nil {
				w.queues = map[*Queue]load{}
			}
			l := w.queues[q]
			w.queues[q] = load{l.count + 1, l.body + int64(m.Body)}
		}
	}
}

// refused reports fault.Exhausted when a bound does not allow it.
func (w *wanted) refused(sh *shard, n *Namespace) error {
	if err := n.overQuota(w.messages, w.bytes); err != nil {
		return err
	}
	if w.ids > 0 && w.ids > int64(sh.core.cfg.MaxDedup)-sh.ids.Load() {
		return fault.New(fault.Exhausted, "too many deduplication ids")
	}
	return nil
}
