package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// bringing is a slice of a namespace that moves into this shard.
type bringing struct {
	rows   []brought
	next   int    // the row to go on with
	chunk  int    // its chunk to go on with
	body   *body  // of that row, pinned; nil: none
	cursor []byte // key and value of where the next process goes on
	value  []byte
}

// brought is one row, sealed for its new place.
type brought struct {
	key, value []byte
	apart      *apart  // what the message needs besides; nil: nothing
	chunks     []chunk // of that, unless it is here
}

type chunk struct {
	index uint32
	bytes []byte
}

func (b *brought) size() int {
	n := len(b.key) + len(b.value)
	for i := range b.chunks {
		n += len(b.chunks[i].bytes)
	}
	return n
}

// bring stores a slice and answers when it is durable. It returns false when the batch
// is full, and then comes again for the rest. A batch holds whole rows with their
// references; the chunks of a body come before, and are kept by its pin until then.
func (sh *shard) bring(r *request) (done bool) {
	b := r.bringing
	for b.next < len(b.rows) && sh.err == nil {
		row := &b.rows[b.next]
		if !sh.bringBody(b, row) {
			return false
		}
		sh.setAnew(row.key, row.value)
		if row.apart != nil {
			sh.referAt(row.apart, row.key)
			sh.unpin(b.body)
			b.body = nil
		}
		b.chunk = 0
		if b.next++; sh.full() && b.next < len(b.rows) {
			return false
		}
	}
	if sh.err == nil {
		sh.setAnew(b.cursor, b.value)
	}
	if sh.err != nil {
		r.reply <- reply{err: sh.err}
		return true
	}
	sh.say(true, answering(r.reply, reply{}))
	return true
}

// setAnew stores a row that another goroutine sealed, and seals it anew if it is stale:
// what the owner stores is under the platform key of that time.
func (sh *shard) setAnew(key, value []byte) {
	anew, err := sh.place.renew(key, value)
	if err != nil {
		sh.fail(fmt.Errorf("seal key %x anew: %w", key, err))
		return
	}
	if anew != nil {
		value = anew
	}
	sh.batch.Set(key, value)
}

// bringBody stores what lies apart of the message in row, until the batch is full.
func (sh *shard) bringBody(b *bringing, row *brought) (done bool) {
	if row.apart == nil {
		return true
	}
	if b.body == nil {
		b.body = sh.pin(row.apart.id, false)
		b.body.parts = max(b.body.parts, row.apart.parts)
	}
	for b.chunk < len(row.chunks) {
		x := &row.chunks[b.chunk]
		sh.writeChunk(b.body, x.index, x.bytes)
		b.body.record = b.body.record || x.index == 0
		if b.chunk++; sh.full() && b.chunk < len(row.chunks) {
			return false
		}
	}
	return true
}

// eraseMoved deletes what is here of queues that lie elsewhere, and answers when that is
// durable. With flag it forgets the clock of their namespace, too, and in any case how
// far that was copied.
func (sh *shard) eraseMoved(r *request) {
	for _, id := range r.ids {
		sh.erase(id)
	}
	if len(r.ids) > 0 {
		sh.sweepSoon()
	}
	if r.flag {
		sh.batch.Delete(clockKey(nil, r.namespace))
	}
	sh.batch.Delete(cursorKey(nil, r.namespace))
	sh.say(true, answering(r.reply, reply{}))
}

// cursorKey appends class (1), namespace (16).
func cursorKey(dst []byte, id NamespaceID) []byte {
	return append(append(dst, byte(classCursor)), id[:]...)
}

const cursorVersion = 1

// appendCursor appends version (1), the key of the last row that was copied.
func appendCursor(dst, key []byte) []byte { return append(append(dst, cursorVersion), key...) }

// parseCursor gives a slice of p, the key of a row that moves with its namespace, and
// the queue it is of; 0 for the namespace's own.
func parseCursor(p []byte) (key []byte, id queueID, err error) {
	if len(p) < 2 || p[0] != cursorVersion {
		return nil, 0, fmt.Errorf("cursor of %d bytes: %w", len(p), seal.ErrFormat)
	}
	key = p[1:]
	switch c := class(key[0]); {
	case c == classClock && len(key) == clockKeySize:
		return key, 0, nil
	case len(key) < recordKeySize:
	case c == classRecord && len(key) == recordKeySize, c == classDurable, c == classDedup:
		return key, queueID(binary.BigEndian.Uint64(key[1:])), nil
	}
	return nil, 0, fmt.Errorf("cursor at key %x: %w", key, seal.ErrFormat)
}

// dropCursors deletes, at the start, how far what does not come any more was copied.
func (sh *shard) dropCursors(b *store.Batch, l *layout, snap store.Snapshot) (err error) {
	it := snap.Iter([]byte{byte(classCursor)}, []byte{byte(classCursor) + 1})
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		key := it.Key()
		if len(key) != len(cursorKey(nil, NamespaceID{})) {
			return fmt.Errorf("%w: key %x", store.ErrDamaged, key)
		}
		if !l.comes(NamespaceID(key[1:]), sh.id) {
			b.Delete(key)
		}
	}
	return it.Err()
}

// storedRecord reads the record of a queue that is being opened, when its shard was not yet
// its own at the start.
func (q *Queue) storedRecord() (r queueRecord, ok bool, err error) {
	sh := q.namespace.shard
	snap := sh.store.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	key := recordKey(nil, q.id)
	v, ok, err := snap.Get(key)
	if err != nil || !ok {
		return r, false, err
	}
	// Not the owner's place: this is another goroutine.
	p := place{platform: sh.place.platform, shard: sh.id}
	plain, err := p.open(nil, key, v)
	if err != nil {
		return r, false, err
	}
	if r, err = parseQueueRecord(plain); err != nil {
		return r, false, fmt.Errorf("%w: queue %x: %w", store.ErrDamaged, uint64(q.id), err)
	}
	return r, true, nil
}
