package broker

import (
	"fmt"

	"coffer/internal/store"
)

// wanted reports whether somebody waits for messages of the queue.
func (st *queueState) wanted() bool {
	return len(st.consumers) > 0 || st.gets.len() > 0 || st.receivers.len() > 0 ||
		len(st.moves) > 0
}

// short reports whether what comes next of l is short in memory.
func (l *lane) short() bool {
	missing := l.ready.len() > 0 && (*l.ready.at(0)).record == nil
	if l.queue.state.choosers > 0 { // what is at the head may be for nobody
		missing = l.missing != noneMissing || l.more
	}
	return missing || l.fetch != "" || l.gap.count > 0 && l.ready.len() < max(1, l.page/2)
}

// readAhead wants the reader for l when its queue is consumed and what comes
// next is short in memory, or when something must be removed.
func (sh *shard) readAhead(l *lane) {
	if l.wants || l.reading {
		return
	}
	q := l.queue
	if !q.namespace.locked && q.state.wanted() && l.short() || sh.obliged(l) {
		l.wants = true
		sh.wanting = append(sh.wanting, l)
	}
}

// noneMissing is lane.missing while no record is.
const noneMissing = ^uint64(0)

// beginReads sends the reader out, but not for queues with effects in the open
// batch: no snapshot shows those.
func (sh *shard) beginReads() {
	later := sh.wanting[:0]
	for _, l := range sh.wanting {
		if l.queue.state.dirty && sh.err == nil {
			later = append(later, l)
			continue
		}
		l.wants = false
		if j := sh.newRead(l); j != nil {
			l.reading = true
			sh.reader.add(j)
		}
	}
	clear(sh.wanting[len(later):])
	sh.wanting = later
	if len(sh.ripe) > 0 {
		sh.beginRipe()
	}
	sh.beginCheck()
}

// newRead says what to read for l: records of its first entries, or the next
// page of its gap; nil when neither is needed any more.
func (sh *shard) newRead(l *lane) *readJob {
	st := &l.queue.state
	if st.gone || st.frozen || sh.err != nil {
		return nil
	}
	j := &readJob{lane: l, gen: l.gen, bytes: sh.pageBytes()}
	left := j.want(&l.doomed, 0, j.bytes)
	for _, e := range l.missingParked(left) {
		j.add(e)
		left -= e.size
	}
	from := 0
	if st.choosers > 0 {
		from = l.search(l.missing)
	}
	j.want(&l.ready, from, left)
	if len(j.entries) == 0 {
		if l.gap.count == 0 {
			return nil
		}
		j.from, j.to, j.spills = l.gap.from, l.gap.to, st.spills
		if sh.peeks(l) {
			j.peek, j.bytes = true, 1
		}
	}
	return j
}

// add asks for the record of e.
func (j *readJob) add(e *entry) {
	j.entries = append(j.entries, e)
	j.wanted = append(j.wanted, position{e.class(), e.seq})
}

// want adds the entries without a record that list has from one such on, as many
// as fit.
func (j *readJob) want(list *ring[*entry], from, left int) (rest int) {
	if from >= list.len() || (*list.at(from)).record != nil {
		return left
	}
	for i := from; i < list.len() && left > 0 && len(j.entries) < maxPage; i++ {
		if e := *list.at(i); e.record == nil {
			j.add(e)
			left -= e.size
		}
	}
	return left
}

// minPage is the bytes read at once when memory is short.
const minPage = 64 << 10

func (sh *shard) pageBytes() int {
	left := (sh.core.cfg.WindowBytes - sh.memory) / 4
	return int(min(max(left, minPage), int64(sh.core.cfg.PageBytes)))
}

// finishRead takes over what the reader brought, unless the lane has changed so
// that it is of no use.
func (sh *shard) finishRead(j *readJob) {
	if j.due != nil {
		sh.finishRipe(j.due, j.err)
		return
	}
	if j.check != nil {
		sh.finishCheck(j.check, j.err)
		return
	}
	l := j.lane
	q := l.queue
	l.reading = false
	sh.counters.pages.Add(1)
	if q.state.gone || sh.err != nil {
		return
	}
	sh.touch(q)
	if l.gen != j.gen {
		return
	}
	err := j.err
	switch {
	case err != nil:
	case j.entries != nil:
		sh.fill(j)
	default:
		err = sh.extend(l, j)
	}
	if err != nil {
		sh.damage(q, err)
	}
	sh.used(q)
}

// damage lets nothing more out of a queue that cannot be read.
func (sh *shard) damage(q *Queue, err error) {
	err = fmt.Errorf("queue %x of shard %d: %w", uint64(q.id), sh.id, err)
	sh.log.Error("queue cannot be read", "err", err)
	q.state.damaged = err
	sh.touch(q)
}

// fill gives entries their records back.
func (sh *shard) fill(j *readJob) {
	for i, e := range j.entries {
		if e.record == nil {
			e.complete(&j.found[i])
			sh.hold(e)
		}
	}
}

// complete gives e its record, and the facts that its lease did not tell.
func (e *entry) complete(f *stored) {
	e.record = f.record
	if e.bare {
		e.bare = false
		count, received := e.count, e.received
		e.facts = f.facts
		e.count, e.received = count, received
		e.referred = e.apart() != nil
	}
}

// extend moves a page from the gap to ready.
func (sh *shard) extend(l *lane, j *readJob) error {
	l.page = len(j.found)
	for i := range j.found {
		f := &j.found[i]
		if _, leased := l.early[f.seq]; leased {
			delete(l.early, f.seq)
			continue
		}
		e := sh.newEntry(l)
		e.seq, e.record, e.size, e.facts = f.seq, f.record, len(f.record), f.facts
		e.durable, e.spilled = f.class == classDurable, f.class == classSpilled
		e.counted = f.counted
		e.referred = e.apart() != nil
		e.redelivered = f.seq < l.boot || f.count > 0
		sh.hold(e)
		l.ready.pushBack(e)
		l.gap.count--
		l.gap.bytes = max(l.gap.bytes-e.cost(), 0)
		l.gap.body = max(l.gap.body-int64(e.body), 0)
		if j.peek {
			sh.dropRecord(e)
		}
	}
	l.gap.from, l.paged = j.next, j.next
	if l.gap.from < l.gap.to && l.gap.count > 0 {
		return nil
	}
	if l.gap.count != 0 || l.gap.from < l.gap.to && l.tail.len() > 0 && len(l.early) == 0 {
		return fmt.Errorf("%w: %d messages fewer than recorded", store.ErrDamaged, l.gap.count)
	}
	l.gap, l.early = gap{}, nil
	for l.tail.len() > 0 {
		l.ready.pushBack(l.tail.popFront())
	}
	return nil
}
