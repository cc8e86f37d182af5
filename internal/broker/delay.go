package broker

import (
	"fmt"

	"coffer/internal/store"
)

// delayed is what of a queue waits for its time. Only the store has it, in the
// order in which it becomes due, in domain time.
type delayed struct {
	durable, spilled int64 // messages

	body    int64 // bytes of the bodies of those that came since the start
	due     int64 // no message is due earlier
	fresh   int64 // the same of those that came since a read began
	wants   bool  // in the owner's list of reads to begin
	reading bool
	gen     uint32 // counts purges, so that an older read is not used
}

func (d *delayed) count() int64 { return d.durable + d.spilled }

// dueAt gives when a message that arrives now is due. In a queue with groups the
// queue's own delay is for its gate.
func (q *Queue) dueAt(now int64, own Bound) int64 {
	delay := q.state.limits.Delay
	if own.Set || q.spec.Groups {
		delay = own.N
	}
	return now + min(max(delay, 0), maxTime-now)
}

// postpone stores a new message, with its record, until it is due. The entry is
// not the caller's any more.
func (sh *shard) postpone(e *entry, due int64) {
	q := e.lane.queue
	st := &q.state
	e.seq = st.next
	e.spilled = !e.durable
	key := delayedKey(sh.keybuf[:0], e.class(), q.id, due, e.seq, e.lane.priority)
	if !sh.writeAt(e, key) {
		return
	}
	st.next++
	d := &st.delayed
	if d.count() == 0 || due < d.due {
		d.due = due
	}
	d.fresh = min(d.fresh, due)
	if e.durable {
		d.durable++
	} else {
		d.spilled++
	}
	sh.markSpilled(q, e.durable)
	q.delayed.Add(1)
	d.body += int64(e.body)
	sh.tally(q, 1, int64(e.body))
	sh.freeEntry(e)
	sh.touch(q)
}

// ripen wants the reader for the messages that are due, or arranges to come back
// when the first is.
func (sh *shard) ripen(q *Queue) {
	d := &q.state.delayed
	if d.count() == 0 || d.wants || d.reading {
		return
	}
	c := &q.namespace.clock
	if d.due > c.now(sh.time) {
		sh.wakeAt(q, c.shardTime(d.due))
		return
	}
	d.wants = true
	sh.ripe = append(sh.ripe, q)
}

// dueJob asks for the messages of a queue that are due, and holds the answer.
type dueJob struct {
	queue  *Queue
	gen    uint32
	from   int64 // none is due earlier
	now    int64
	count  int64 // of all that are delayed
	spills bool
	bytes  int // about as much is enough

	found []dueMessage
	next  int64 // when the next is due; maxTime: there is none
}

type dueMessage struct {
	stored
	priority uint8
	due      int64
}

// beginRipe sends the reader out for what is due, as beginReads does.
func (sh *shard) beginRipe() {
	later := sh.ripe[:0]
	for _, q := range sh.ripe {
		st := &q.state
		d := &st.delayed
		if st.dirty && sh.err == nil {
			later = append(later, q)
			continue
		}
		d.wants = false
		if st.gone || st.frozen || sh.err != nil || d.count() == 0 {
			continue
		}
		d.reading, d.fresh = true, maxTime
		sh.reader.add(&readJob{due: &dueJob{
			queue: q, gen: d.gen, from: d.due, now: q.namespace.clock.now(sh.time),
			count: d.count(), spills: d.spilled > 0, bytes: sh.pageBytes(),
		}})
	}
	clear(sh.ripe[len(later):])
	sh.ripe = later
}

// whole reports whether the reader brought what was recorded when it was asked.
// With fresh, messages came since: it may have seen the first of them as the next.
func (j *dueJob) whole(fresh bool) bool {
	n := int64(len(j.found))
	if j.next == maxTime {
		return n == j.count
	}
	return n < j.count || n == j.count && fresh
}

// finishRipe moves what the reader brought to the ends of its lanes, in one batch.
func (sh *shard) finishRipe(j *dueJob, err error) {
	q := j.queue
	st := &q.state
	d := &st.delayed
	d.reading = false
	sh.counters.pages.Add(1)
	if st.gone || st.frozen || sh.err != nil || j.gen != d.gen {
		sh.touch(q)
		return
	}
	if err == nil && !j.whole(d.fresh != maxTime) {
		err = fmt.Errorf("%w: not as many delayed messages as recorded", store.ErrDamaged)
	}
	if err != nil {
		sh.damage(q, err)
		return
	}
	for i := range j.found {
		sh.mature(q, &j.found[i])
	}
	d.due = min(j.next, d.fresh)
	sh.markDirty(q)
	sh.touch(q)
}

// mature puts a delayed message that is due into its lane.
func (sh *shard) mature(q *Queue, f *dueMessage) {
	d := &q.state.delayed
	key := delayedKey(sh.keybuf[:0], f.class, q.id, f.due, f.seq, f.priority)
	sh.batch.Delete(key)
	sh.unreferAt(f.apart(), key)
	e := sh.newEntry(q.lane(f.priority))
	e.record, e.size, e.facts = f.record, len(f.record), f.facts
	if e.durable = f.class == classDurable; e.durable {
		d.durable--
	} else {
		d.spilled--
	}
	q.delayed.Add(-1)
	body := min(d.body, int64(f.body))
	d.body -= body
	sh.tally(q, -1, -body) // insert counts it
	sh.insert(e)
}

// dropDelayed forgets what is delayed and gives its number; erase deletes it, too.
func (sh *shard) dropDelayed(q *Queue, erase bool) int {
	d := &q.state.delayed
	n := d.count()
	q.delayed.Add(-n)
	if n > 0 {
		sh.sweepSoon()
	}
	sh.tally(q, -n, -d.body)
	*d = delayed{gen: d.gen + 1, wants: d.wants, reading: d.reading}
	if !erase || n == 0 && q.state.damaged == nil {
		return 0
	}
	for _, c := range [...]class{classDurable, classSpilled} {
		if c == classDurable && q.spec.stored() || c == classSpilled && q.state.spills {
			sh.batch.DeleteRange(kindRange(c, q.id, kindDelayed))
		}
	}
	sh.markDirty(q)
	return int(n)
}
