package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/store"
)

// maxFan is the size of a batch, in bytes, at which a publish to many queues goes
// on in the next one. Below it a publish is in all its queues or in none,
// whatever happens. The largest message fits between it and store.MaxBatch.
const maxFan = store.MaxBatch - store.MaxValue - 1<<20

// fan is how far a publish has come. One of a large message to many queues takes
// several batches: a batch has a bound, and so has what waits in memory.
type fan struct {
	begun  bool
	next   int // the target to go on with
	routed bool
	wait   bool // some batch stores a copy
}

// publish puts a message into its queues and arranges the confirm, which waits
// for the last batch that stores a copy. It returns false when the batch became
// full before the last queue, and then comes again for the rest.
func (sh *shard) publish(s *Session, p *publishing, targets []*Queue) (done bool) {
	f := &sh.fan
	if !f.begun {
		f.begun = true
		sh.counters.published.Add(1)
	}
	r := release{s: s, count: 1, bytes: int64(len(p.msg.Record))}
	if p.confirm {
		r.event = Event{Kind: Published, Tag: p.tag}
	}
	err := sh.err
	if err == nil && len(targets) > 0 {
		m := &p.msg
		sh.plain, err = appendEnvelope(sh.plain[:0], m.Record, 0, m.Address, m.Key)
	}
	if err != nil {
		r.event.Err = err
	} else if !sh.fanOut(s, p, targets) {
		return false
	}
	wait := f.wait
	if p.confirm { // confirms come in the order of the publishes
		wait = wait || s.state.lastBatch > sh.durable
		if wait {
			s.state.lastBatch = sh.batch.index
		}
	}
	sh.fan = fan{}
	sh.say(wait, r)
	return true
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
		f.wait = sh.enqueue(q, &p.msg) || f.wait
		if f.next < len(targets) && sh.batch.Size() >= maxFan && sh.err == nil {
			return false
		}
	}
	if !f.routed {
		sh.counters.unrouted.Add(1)
	}
	return true
}

// enqueue puts the message whose envelope is in sh.plain at the end of q, and
// reports whether the batch stores it.
func (sh *shard) enqueue(q *Queue, m *Message) (durable bool) {
	st := &q.state
	seq := st.next
	durable = m.Durable && q.spec.stored()
	weight := cost(len(m.Record), m.Address, m.Key)
	resident := sh.fits(q, weight)
	class := classSpilled
	if durable {
		class = classDurable
		st.depth++
		st.bytes += int64(len(m.Record))
	}
	if durable || !resident {
		if err := sh.write(class, q, seq, sh.plain, m.Record); err != nil {
			sh.fail(err)
			return durable
		}
	}
	st.next++
	if resident {
		e := sh.newEntry(q)
		e.seq, e.record, e.size = seq, m.Record, len(m.Record)
		e.address, e.key, e.durable = m.Address, m.Key, durable
		sh.append(e)
	} else {
		sh.dropTail(q)
		st.widen(seq, weight)
		sh.markSpilled(q, durable)
	}
	q.ready.Add(1)
	sh.touch(q)
	return durable
}

// append puts a new entry at the end of its queue's memory.
func (sh *shard) append(e *entry) {
	st := &e.queue.state
	sh.hold(e)
	sh.used(e.queue)
	if st.gap.count == 0 {
		st.ready.pushBack(e)
	} else {
		st.tail.pushBack(e)
	}
}

// widen lets the gap end behind seq, the last of the queue.
func (st *queueState) widen(seq uint64, weight int64) {
	if st.gap.count == 0 {
		st.gap = gap{from: seq}
	}
	st.gap.to = st.next
	st.gap.count++
	st.gap.bytes += weight
}

// write puts a message with this envelope into the batch.
func (sh *shard) write(c class, q *Queue, seq uint64, envelope, record []byte) (err error) {
	key := entryKey(sh.keybuf[:0], c, q.id, seq)
	v := append(sh.scratch[:0], 0, 0, 0, 0)
	if v, err = sh.place.seal(v, key, envelope); err != nil {
		return fmt.Errorf("seal envelope of queue %x: %w", uint64(q.id), err)
	}
	binary.BigEndian.PutUint32(v, uint32(len(v)-valueHeader))
	v = append(v, record...)
	sh.batch.Set(key, v)
	sh.markDirty(q)
	if sh.scratch = v; cap(v) > keepScratch {
		sh.scratch = nil
	}
	return nil
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
