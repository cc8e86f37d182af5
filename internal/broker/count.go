package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// tally is what is stored beside a message that came back: how often, and when
// it was received first.
type tally struct {
	count    uint32
	received int64 // shard time; 0: never, it was released by a session
}

const tallyVersion = 1

// append writes version (1), count (4), time of the first receive (8).
func (t tally) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, tallyVersion), t.count)
	return binary.BigEndian.AppendUint64(dst, uint64(t.received))
}

func parseTally(p []byte) (t tally, err error) {
	r := rowParser{rest: p}
	version := r.byte()
	t.count, t.received = r.uint32(), int64(r.uint64())
	if version != tallyVersion || r.failed || len(r.rest) > 0 || t.received < 0 {
		return t, fmt.Errorf("count of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return t, nil
}

// writeCount stores how often e came back, as far as e is stored for good.
func (sh *shard) writeCount(e *entry) {
	if !e.durable {
		return
	}
	q := e.lane.queue
	key := e.countKey(sh.keybuf[:0])
	sh.plain = tally{e.count, e.received}.append(sh.plain[:0])
	var err error
	if sh.scratch, err = sh.place.seal(sh.scratch[:0], key, sh.plain); err != nil {
		sh.fail(fmt.Errorf("seal count of queue %x: %w", uint64(q.id), err))
		return
	}
	sh.batch.Set(key, sh.scratch)
	sh.markDirty(q)
	e.counted = true
}

func (e *entry) countKey(dst []byte) []byte {
	l := e.lane
	return sideKey(dst, classDurable, l.queue.id, kindCount, l.priority, e.seq)
}

// dropCount deletes the count of e, which is deleted.
func (sh *shard) dropCount(e *entry) {
	if e.counted {
		sh.batch.Delete(e.countKey(sh.keybuf[:0]))
		e.counted = false
	}
}

// counts walks the stored counts beside a page.
type counts struct {
	walk
	plain []byte
}

// of gives the count of the message with this sequence; they are asked for in
// their order.
func (c *counts) of(p *place, seq uint64) (t tally, ok bool, err error) {
	for c.ok && c.seq < seq {
		if err := c.step(); err != nil {
			return t, false, err
		}
	}
	if !c.ok || c.seq != seq {
		return t, false, nil
	}
	if c.plain, err = p.open(c.plain[:0], c.it.Key(), c.it.Value()); err != nil {
		return t, false, err
	}
	if t, err = parseTally(c.plain); err != nil {
		return t, false, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, c.it.Key(), err)
	}
	return t, true, nil
}
