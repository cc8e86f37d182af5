package broker

import (
	"encoding/binary"
	"fmt"
	"slices"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// maxFan is the size of a batch, in bytes, at which a publish to many queues goes
// on in the next one. Below it a publish is in all its queues or in none,
// whatever happens; that is nearly always, since what is large is stored once.
const maxFan = store.MaxBatch - store.MaxValue - 1<<20

// fan is how far a publish has come. One of a large message, or to very many
// queues, takes several batches: a batch has a bound.
type fan struct {
	begun  bool
	next   int // the target to go on with
	routed bool
	wait   bool  // some batch stores a copy
	err    error // no queue gets it
	full   error // a queue refused it
	put    put   // into the last queue

	body  *body  // what it stores apart; nil: nothing
	apart *apart // of its entries
	part  int    // chunks that are written
}

// publish puts a message into its queues and arranges the confirm, which waits
// for the last batch that stores a copy. It returns false when the batch became
// full before the last queue, and then comes again for the rest.
func (sh *shard) publish(s *Session, p *publishing, targets []*Queue) (done bool) {
	f := &sh.fan
	if !f.begun {
		f.begun = true
		sh.counters.published.Add(1)
		if s.namespace.moved.Load() {
			f.err = movedError()
		} else if f.err = sh.admissible(&p.msg); f.err == nil {
			var w wanted
			w.add(sh, s.namespace, &p.msg, targets)
			f.err = w.refused(sh, s.namespace)
		}
		if f.err == nil {
			f.body, f.apart = sh.newBody(&p.msg, len(targets))
			p.msg.apart = f.apart
			if len(p.msg.Chunks) > 0 && anyConsumed(targets) {
				sh.warm.put(f.apart.id, p.msg.Chunks)
			}
		}
	}
	r := release{s: s, count: 1, bytes: p.msg.Weight()}
	if p.confirm {
		r.event = Event{Kind: Published, Tag: p.tag}
	}
	if f.err == nil && !(sh.writeParts(&p.msg) && sh.fanOut(s, p, targets)) {
		return false
	}
	if r.event.Err = f.err; f.err == nil {
		r.event.Err = f.full
	}
	wait := f.wait || f.part > 0
	if wait {
		sh.batch.published += r.bytes
		sh.published += r.bytes
	}
	if f.body != nil {
		sh.unpin(f.body)
	}
	if r.event.Err == nil && len(targets) == 1 && f.routed {
		r.event.MessageID, r.event.Sequence = f.put.message, f.put.sequence
		r.event.Duplicate = f.put.duplicate
	}
	if p.confirm { // confirms come in the order of the publishes
		wait = wait || s.state.lastBatch > sh.durable
		if wait {
			sh.await(1)
			s.state.lastBatch = sh.batch.index
		}
	}
	sh.fan = fan{}
	sh.say(wait, r)
	return true
}

// anyConsumed reports whether some of the queues have consumers.
func anyConsumed(queues []*Queue) bool {
	return slices.ContainsFunc(queues, func(q *Queue) bool { return q.consumers.Load() > 0 })
}

// admissible reports what keeps a message out of every queue.
func (sh *shard) admissible(m *Message) error {
	if sh.err != nil {
		return sh.err
	}
	if err := checkParts(m); err != nil {
		return err
	}
	return checkNames(m)
}

// fanOut gives the message to the queues that are left, until the batch is full.
func (sh *shard) fanOut(s *Session, p *publishing, targets []*Queue) (done bool) {
	f := &sh.fan
	for f.next < len(targets) {
		q := targets[f.next]
		f.next++
		if q.state.frozen || q.state.gone || q.namespace != s.namespace {
			continue
		}
		f.routed = true
		sh.into(s, q, &p.msg)
		if f.next < len(targets) && sh.batch.Size() >= maxFan && sh.err == nil {
			return false
		}
	}
	if !f.routed {
		sh.counters.unrouted.Add(1)
	}
	return true
}

// into gives a message that is published to one of its queues, if that takes it.
func (sh *shard) into(s *Session, q *Queue, m *Message) {
	f := &sh.fan
	if _, again := sh.first(q, m); !again {
		if err := sh.refusal(q, m, nil); err != nil {
			f.full = err
			f.wait = f.wait || q.state.limits.Overflow == DeadLetterRefuse // its copy
			return
		}
	}
	f.put = sh.put(q, m)
	if sh.recorded(s, q, Publishes) {
		f.wait = true
		sh.record(s, q, Publishes, 0, DeedMessage{f.put.sequence, f.put.message})
	}
	if f.wait = f.wait || f.put.wait; !f.put.duplicate {
		sh.keepUp(q)
	}
}

// put is what became of a message in one queue.
type put struct {
	wait      bool     // it waits for the open batch
	message   [16]byte // the id of the message that is there
	sequence  uint64
	duplicate bool // that is an earlier one
}

// put enqueues a message, unless it repeats another one.
func (sh *shard) put(q *Queue, m *Message) put {
	if s, ok := sh.first(q, m); ok {
		return put{q.state.dedup.batch > sh.durable, s.message, s.sequence, true}
	}
	h, err := seal.ParseRecord(m.Record)
	if err != nil {
		return put{} // admissible saw to that
	}
	p := put{message: h.ID, sequence: q.state.next}
	sh.remember(q, m, sighting{message: p.message, sequence: p.sequence})
	q.state.figures[figPublished]++
	p.wait = sh.enqueue(q, m, nil)
	return p
}

// enqueue puts a message at the end of q, one that died with its history, and
// reports whether the batch stores it.
func (sh *shard) enqueue(q *Queue, m *Message, h *History) (durable bool) {
	e := sh.newEntry(q.laneOf(m))
	e.record, e.size, e.body = m.Record, len(m.Record), m.Body
	e.address, e.key, e.lasting = m.Address, m.Key, m.Durable
	e.durable = q.keeps(m.Durable)
	if q.spec.Fair || m.Priority > e.lane.priority { // another queue may tell it apart
		e.priority = m.Priority
	}
	if len(m.Copies) > 0 {
		e.more().copies = m.Copies
	}
	if m.Group != "" && (q.spec.Groups || q.spec.Fair) {
		e.more().group = m.Group
	}
	if h != nil {
		e.more().history = *h
	}
	now := q.namespace.clock.now(sh.time)
	e.enqueued = now
	e.expires = q.state.limits.expires(now, m.Expiry)
	if m.Expiry.Set {
		e.own = min(m.Expiry.N, maxTime) + 1
	}
	if m.kept != nil {
		e.expires = q.state.limits.expires(now, Bound{})
		m.kept.give(e)
	}
	durable = e.durable
	if m.apart != nil {
		sh.attach(e, m.apart)
	}
	if due := q.dueAt(now, m.Delay); due > now {
		sh.postpone(e, due)
	} else {
		sh.insert(e)
	}
	return durable
}

// expires gives when a message that arrives now expires; 0: never.
func (l *Limits) expires(now int64, own Bound) int64 {
	life := l.Expiry
	if own.Set && (!life.Set || own.N < life.N) {
		life = own
	}
	if !life.Set {
		return 0
	}
	return later(now, life.N)
}

// maxTime is later than any time, in milliseconds.
const maxTime = 1 << 60

// insert puts a message, with its record, at the end of its lane. The entry is
// not the caller's any more.
func (sh *shard) insert(e *entry) {
	l := e.lane
	q := l.queue
	st := &q.state
	e.seq = st.next
	weight := e.cost()
	resident := sh.fits(q, weight)
	if e.durable {
		l.depth++
		l.bytes += int64(e.size)
		l.body += int64(e.body)
	} else if a := e.apart(); !resident || a != nil && a.parts > 0 {
		e.spilled = true // parts are in the store anyway
	}
	l.expires = l.expires || e.expires != 0
	if e.stored() && !sh.write(e) {
		return
	}
	if e.spilled {
		sh.markSpilled(q, false)
	}
	if a := e.apart(); a != nil && a.parts > 0 {
		st.lastBatch = sh.batch.index // nobody may look for them earlier
	}
	st.next++
	if now := q.namespace.clock.now(sh.time); q.opens(e) > now {
		st.gate.note(q, e.enqueued)
	}
	sh.tally(q, 1, int64(e.body))
	st.body += int64(e.body)
	if resident {
		sh.append(e)
	} else {
		sh.dropTail(l)
		if l.gap.count == 0 {
			l.remember(e)
		}
		l.widen(e.seq, weight, e.body)
		sh.freeEntry(e)
	}
	q.ready.Add(1)
	sh.touch(q)
}

// append puts a new entry at the end of its lane's memory.
func (sh *shard) append(e *entry) {
	l := e.lane
	sh.hold(e)
	sh.used(l.queue)
	if l.gap.count == 0 {
		l.ready.pushBack(e)
	} else {
		l.tail.pushBack(e)
	}
}

// write puts a message with its record into the batch. It returns false when
// the shard failed.
func (sh *shard) write(e *entry) bool {
	return sh.writeAt(e, e.storeKey(sh.keybuf[:0]))
}

// writeAt is write for a message that is kept at another key than its entry's.
func (sh *shard) writeAt(e *entry, key []byte) bool {
	q := e.lane.queue
	sh.storeRecord(e)
	plain, err := appendEnvelope(sh.plain[:0], e.record, &e.facts)
	sh.plain = plain
	if err == nil && sh.census != nil {
		err = sh.census.take(q.namespace, e.record)
	}
	v := append(sh.scratch[:0], 0, 0, 0, 0)
	if err == nil {
		v, err = sh.place.seal(v, key, plain)
	}
	if err != nil {
		sh.fail(fmt.Errorf("seal envelope of queue %x: %w", uint64(q.id), err))
		return false
	}
	binary.BigEndian.PutUint32(v, uint32(len(v)-valueHeader))
	var record []byte
	if !e.sharedRecord() {
		record = e.record
	}
	sh.batch.InsertJoined(key, v, record) // its sequence is new
	sh.refer(e, key)
	sh.markDirty(q)
	if sh.scratch = v; cap(v) > keepScratch {
		sh.scratch = nil
	}
	return true
}

// keepScratch bounds the owner's scratch buffer, in bytes.
const keepScratch = 1 << 20

// markSpilled notes that class 0x11 holds messages of q.
func (sh *shard) markSpilled(q *Queue, durable bool) {
	if !durable {
		q.state.spills = true
		sh.counters.spilled.Add(1)
	}
}
