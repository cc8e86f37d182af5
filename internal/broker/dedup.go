package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// dedup is the ids that one queue saw within its window. It stands for the
// queue's rows of class 0x20, but for those of messages that end with the process.
type dedup struct {
	seen  map[[16]byte]sighting
	order ring[expiringID] // as they expire
	last  int64            // when the newest expires
	batch uint64           // the newest that stores one
}

// sighting is the first message with an id.
type sighting struct {
	message  [16]byte // its message id
	sequence uint64
	expires  int64 // shard time
}

type expiringID struct {
	id      [16]byte
	expires int64
}

// DedupID gives what Message.Dedup needs for an id that a publisher chose. scope
// is within what the id is unique, if that is not the queue. Only a keyed MAC of
// both is kept: ids may carry data.
func (n *Namespace) DedupID(scope, id string) [16]byte {
	return [16]byte(n.core.db.MAC("broker/dedup", string(n.id[:]), scope, id))
}

// first gives the earlier message that m repeats, if there is one.
func (sh *shard) first(q *Queue, m *Message) (s sighting, ok bool) {
	d := q.state.dedup
	if d == nil || m.Dedup == [16]byte{} || q.state.limits.Dedup == 0 {
		return s, false
	}
	s, ok = d.seen[m.Dedup]
	return s, ok && sh.time < s.expires
}

// remember notes the id of a message that is being stored.
func (sh *shard) remember(q *Queue, m *Message, s sighting) {
	st := &q.state
	window := st.limits.Dedup
	if m.Dedup == [16]byte{} || window == 0 {
		return
	}
	if st.dedup == nil {
		st.dedup = &dedup{}
	}
	d := st.dedup
	// Not earlier than that of an older id, so that they expire in the order in which
	// they came, whatever the window was then.
	s.expires = max(sh.time+min(window, maxTime), d.last)
	d.add(m.Dedup, s, sh)
	if !q.keeps(m.Durable) {
		return // it ends with its message
	}
	key := dedupKey(sh.keybuf[:0], q.id, s.expires, m.Dedup)
	sh.plain = s.append(sh.plain[:0])
	box, err := sh.place.seal(sh.scratch[:0], key, sh.plain)
	if err != nil {
		sh.fail(fmt.Errorf("seal deduplication id of queue %x: %w", uint64(q.id), err))
		return
	}
	sh.scratch = box
	sh.batch.Set(key, box)
	d.batch = sh.batch.index
}

func (d *dedup) add(id [16]byte, s sighting, sh *shard) {
	if d.seen == nil {
		d.seen = map[[16]byte]sighting{}
	}
	before := len(d.seen)
	d.seen[id] = s
	sh.ids.Add(int64(len(d.seen) - before))
	d.order.pushBack(expiringID{id, s.expires})
	d.last = s.expires
}

// newIDs gives how many of these queues must keep the id of m that do not know it
// yet. When there is little room, it has them forget what they may.
func (sh *shard) newIDs(m *Message, targets []*Queue) (n int64) {
	if m.Dedup == [16]byte{} {
		return 0
	}
	short := sh.ids.Load() >= int64(sh.core.cfg.MaxDedup)
	for _, q := range targets {
		if q.namespace.shard != sh || q.state.limits.Dedup == 0 {
			continue
		}
		if _, ok := sh.first(q, m); !ok {
			n++
		}
		if short {
			sh.expireIDs(q, 0)
		}
	}
	return n
}

// Expired ids are taken away in slices, and not before there are some: each slice
// is a range delete.
const (
	dedupSlice = 1 << 13 // ids
	dedupParts = 64      // of a window, after which a slice begins
	dedupPause = 1000    // milliseconds, at least
)

// lookAtIDs forgets ids whose window has been over for some time.
func (sh *shard) lookAtIDs(q *Queue) {
	if q.state.dedup != nil {
		sh.expireIDs(q, max(q.state.limits.Dedup/dedupParts, dedupPause))
	}
}

// expireIDs forgets ids once the first has been over for a pause.
func (sh *shard) expireIDs(q *Queue, pause int64) {
	d := q.state.dedup
	if d == nil || d.order.len() == 0 || sh.err != nil {
		return
	}
	from := d.order.at(0).expires
	if sh.time < from+pause {
		sh.wakeAt(q, from+pause)
		return
	}
	to := from
	for n := 0; d.order.len() > 0 && d.order.at(0).expires <= sh.time; n++ {
		to = d.order.at(0).expires
		if n == dedupSlice {
			sh.soon(q)
			break
		}
		e := d.order.popFront()
		if s, ok := d.seen[e.id]; ok && s.expires == e.expires {
			delete(d.seen, e.id)
			sh.ids.Add(-1)
		}
		to++ // all of this millisecond go, unless one more of it is the next
	}
	if q.spec.stored() && to > from {
		sh.batch.DeleteRange(dedupKey(nil, q.id, from, [16]byte{}),
			dedupKey(nil, q.id, to, [16]byte{}))
	}
	if d.order.len() > 0 {
		sh.wakeAt(q, d.order.at(0).expires+pause)
	} else {
		d.seen = nil // a map keeps its memory
	}
}

// forgetIDs forgets all ids of a queue that was dropped or has no window any
// more.
func (sh *shard) forgetIDs(q *Queue) {
	d := q.state.dedup
	if d == nil {
		return
	}
	sh.ids.Add(-int64(len(d.seen)))
	q.state.dedup = nil
	if q.spec.stored() {
		sh.batch.DeleteRange(queueRange(classDedup, q.id))
	}
}

// loadIDs reads the ids of a queue that is being opened.
func (q *Queue) loadIDs() (err error) {
	if q.spec.Limits.Dedup == 0 {
		return nil
	}
	sh := q.namespace.shard
	snap := sh.store.Snapshot()
	it := snap.Iter(queueRange(classDedup, q.id))
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	// Not the owner's place: this is another goroutine.
	p := place{platform: sh.place.platform, shard: sh.id}
	for it.Next() {
		_, expires, id, err := parseDedupKey(it.Key())
		if err != nil {
			return err
		}
		plain, err := p.open(nil, it.Key(), it.Value())
		if err != nil {
			return err
		}
		s, err := parseSighting(plain)
		if err != nil {
			return fmt.Errorf("%w: key %x: %w", store.ErrDamaged, it.Key(), err)
		}
		if q.state.dedup == nil {
			q.state.dedup = &dedup{}
		}
		s.expires = expires
		q.state.dedup.add(id, s, sh)
	}
	return it.Err()
}

const sightingVersion = 1

// append writes version (1), message id (16), sequence (8).
func (s *sighting) append(dst []byte) []byte {
	dst = append(append(dst, sightingVersion), s.message[:]...)
	return binary.BigEndian.AppendUint64(dst, s.sequence)
}

func parseSighting(p []byte) (s sighting, err error) {
	r := rowParser{rest: p}
	version := r.byte()
	copy(s.message[:], r.take(16))
	s.sequence = r.uint64()
	if version != sightingVersion || r.failed || len(r.rest) > 0 || s.sequence == 0 {
		return s, fmt.Errorf("deduplication id of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return s, nil
}
