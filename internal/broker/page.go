package broker

import (
	"fmt"

	"coffer/internal/store"
)

// readAhead wants the reader for q when it is consumed and what comes next is
// short in memory.
func (sh *shard) readAhead(q *Queue) {
	st := &q.state
	if st.wants || st.reading || len(st.consumers) == 0 && st.gets.len() == 0 {
		return
	}
	missing := st.ready.len() > 0 && (*st.ready.at(0)).record == nil
	if missing || st.gap.count > 0 && st.ready.len() < max(1, st.page/2) {
		st.wants = true
		sh.wanting = append(sh.wanting, q)
	}
}

// beginReads sends the reader out, but not for queues with effects in the open
// batch: no snapshot shows those.
func (sh *shard) beginReads() {
	later := sh.wanting[:0]
	for _, q := range sh.wanting {
		st := &q.state
		if st.dirty && sh.err == nil {
			later = append(later, q)
			continue
		}
		st.wants = false
		if j := sh.newRead(q); j != nil {
			st.reading = true
			sh.reader.add(j)
		}
	}
	clear(sh.wanting[len(later):])
	sh.wanting = later
}

// newRead says what to read for q: records of its first entries, or the next
// page of its gap; nil when neither is needed any more.
func (sh *shard) newRead(q *Queue) *readJob {
	st := &q.state
	if st.gone || st.frozen || sh.err != nil {
		return nil
	}
	j := &readJob{queue: q, gen: st.gen, bytes: sh.pageBytes()}
	left := j.bytes
	for i := 0; i < st.ready.len() && left > 0; i++ {
		e := *st.ready.at(i)
		if e.record == nil {
			j.entries = append(j.entries, e)
			j.wanted = append(j.wanted, position{e.class(), e.seq})
			left -= e.size
		} else if len(j.entries) == 0 {
			break
		}
	}
	if len(j.entries) == 0 {
		if st.gap.count == 0 {
			return nil
		}
		j.from, j.to, j.spills = st.gap.from, st.gap.to, st.spills
	}
	return j
}

// minPage is the bytes read at once when memory is short.
const minPage = 64 << 10

func (sh *shard) pageBytes() int {
	left := (sh.core.cfg.WindowBytes - sh.memory) / 4
	return int(min(max(left, minPage), int64(sh.core.cfg.PageBytes)))
}

// finishRead takes over what the reader brought, unless the queue has changed so
// that it is of no use.
func (sh *shard) finishRead(j *readJob) {
	q := j.queue
	st := &q.state
	st.reading = false
	sh.counters.pages.Add(1)
	if st.gone || sh.err != nil {
		return
	}
	sh.touch(q)
	if st.gen != j.gen {
		return
	}
	err := j.err
	switch {
	case err != nil:
	case j.entries != nil:
		sh.fill(j)
	default:
		err = sh.extend(q, j)
	}
	if err != nil {
		err = fmt.Errorf("queue %x of shard %d: %w", uint64(q.id), sh.id, err)
		sh.log.Error("queue cannot be read", "err", err)
		st.damaged = err
	}
	sh.used(q)
}

// fill gives entries their records back.
func (sh *shard) fill(j *readJob) {
	for i, e := range j.entries {
		if e.record == nil {
			e.record = j.found[i].record
			sh.hold(e)
		}
	}
}

// extend moves a page from the gap to ready.
func (sh *shard) extend(q *Queue, j *readJob) error {
	st := &q.state
	st.page = len(j.found)
	for i := range j.found {
		f := &j.found[i]
		e := sh.newEntry(q)
		e.seq, e.record, e.size = f.seq, f.record, len(f.record)
		e.address, e.key, e.count = f.address, f.key, f.count
		e.durable, e.spilled = f.class == classDurable, f.class == classSpilled
		e.redelivered = f.seq < st.boot || f.count > 0
		sh.hold(e)
		st.ready.pushBack(e)
		st.gap.count--
		st.gap.bytes = max(st.gap.bytes-e.cost(), 0)
	}
	st.gap.from = j.next
	if st.gap.from < st.gap.to && st.gap.count > 0 {
		return nil
	}
	if st.gap.count != 0 || st.gap.from < st.gap.to && st.tail.len() > 0 {
		return fmt.Errorf("%w: %d messages fewer than recorded", store.ErrDamaged, st.gap.count)
	}
	st.gap = gap{}
	for st.tail.len() > 0 {
		st.ready.pushBack(st.tail.popFront())
	}
	return nil
}
