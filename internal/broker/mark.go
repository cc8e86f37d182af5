package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// mark is what stands beside a message that is dead and not buried yet. With it
// the death is as durable as a settlement; who opens the queue goes on from there.
type mark struct {
	why  Reason
	size int // bytes of the record
	body int // bytes of the body
}

const markVersion = 1

// append writes version (1), reason (1), bytes of the record (4), of the body (4).
func (m *mark) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, markVersion, byte(m.why)), uint32(m.size))
	return binary.BigEndian.AppendUint32(dst, uint32(m.body))
}

func parseMark(p []byte) (m mark, err error) {
	r := rowParser{rest: p}
	version := r.byte()
	m.why = Reason(r.byte())
	m.size, m.body = int(r.uint32()), int(r.uint32())
	if version != markVersion || r.failed || len(r.rest) > 0 ||
		m.why < Rejected || m.why > DeliveryLimit {
		return m, fmt.Errorf("mark of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return m, nil
}

// mark makes it durable that e is dead, as far as e is.
func (sh *shard) mark(e *entry) {
	if !e.durable || e.marked {
		return
	}
	m := mark{e.why, e.size, e.body}
	key := e.markKey(sh.keybuf[:0])
	v, err := sh.place.seal(sh.scratch[:0], key, m.append(nil))
	if err != nil {
		sh.fail(fmt.Errorf("seal mark of queue %x: %w", uint64(e.lane.queue.id), err))
		return
	}
	sh.scratch = v
	e.marked = true
	sh.batch.Set(key, v)
	sh.markDirty(e.lane.queue)
}

func (e *entry) markKey(dst []byte) []byte {
	l := e.lane
	return sideKey(dst, classDurable, l.queue.id, kindDead, l.priority, e.seq)
}

// loadMarks makes the dead of a lane that is being opened wait for their burial.
// They are part of its gap, which is therefore told to pass over them.
func (sh *shard) loadMarks(l *lane) (err error) {
	snap := sh.store.Snapshot()
	id, next := l.queue.id, l.queue.state.next
	it := snap.Iter(sideKey(nil, classDurable, id, kindDead, l.priority, 0),
		sideKey(nil, classDurable, id, kindDead, l.priority, next))
	defer func() {
		err = errors.Join(err, it.Close(), snap.Close())
	}()
	// Not the owner's place: this is another goroutine.
	p := place{platform: sh.place.platform, shard: sh.id}
	for it.Next() {
		plain, err := p.open(nil, it.Key(), it.Value())
		if err != nil {
			return err
		}
		m, err := parseMark(plain)
		if err != nil {
			return fmt.Errorf("%w: key %x: %w", store.ErrDamaged, it.Key(), err)
		}
		e := &entry{lane: l, durable: true, marked: true, bare: true, size: m.size, why: m.why}
		e.counted = true // maybe
		if _, _, _, e.seq, err = parseSideKey(it.Key(), kindDead); err != nil {
			return err
		}
		e.body = m.body
		l.doomed.pushBack(e)
		l.gap.count--
		l.gap.body -= int64(m.body)
		l.gap.bytes -= int64(m.size) + entryOverhead
		if l.early == nil {
			l.early = map[uint64]struct{}{}
		}
		l.early[e.seq] = struct{}{}
	}
	if l.gap.count < 0 || l.gap.body < 0 {
		return fmt.Errorf("%w: queue %x has more dead messages than messages",
			store.ErrDamaged, uint64(id))
	}
	if l.gap.count == 0 {
		l.gap, l.early = gap{}, nil
	}
	l.gap.bytes = max(l.gap.bytes, 0)
	return it.Err()
}
