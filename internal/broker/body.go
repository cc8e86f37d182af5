package broker

import (
	"sync/atomic"

	"coffer/internal/seal"
)

// bodyID names bytes that are stored apart from the entries that need them: it
// is the id of their message.
type bodyID [16]byte

// apart tells which bytes of a message are not in its entry. It never changes.
type apart struct {
	id     bodyID
	shared bool   // the record is chunk 0 of the body
	parts  uint32 // chunks 1 to parts hold what the record, a head, does not
	bytes  int64  // of these
}

// apart is nil when the record is all there is.
func (f *facts) apart() *apart {
	if f.extra == nil {
		return nil
	}
	return f.extra.apart
}

// sharedRecord reports whether the stored entry is without the record.
func (f *facts) sharedRecord() bool {
	a := f.apart()
	return a != nil && a.shared
}

// origin is shared by the copies of what Seal gave.
type origin struct{ used atomic.Bool }

// first reports, once, that the message was not published before.
func (s *Sealed) first() bool {
	return s.origin != nil && s.origin.used.CompareAndSwap(false, true)
}

// body is what the owner knows of bytes stored apart.
type body struct {
	id    bodyID
	parts uint32
	refs  int  // stored ones, as of the open batch
	pins  int  // it must stay for other reasons
	exact bool // refs are all; else older ones may be stored
	idle  bool // in the owner's list

	stored bool // something of it is
	record bool // chunk 0 is
	held   int  // entries that hold the record in memory
}

const (
	// shareBytes is the size of a record, in bytes, above which a fan-out stores it
	// once. Below, a second look-up costs more than the copy.
	shareBytes = 4 << 10
	// maxBodies bounds the bodies whose references are counted; those above are
	// looked up when one goes.
	maxBodies = 1 << 16
)

// bodies is the owner's knowledge of what is stored apart.
type bodies struct {
	known map[bodyID]*body
	idle  []*body // to be deleted when the batch closes, unless needed again
	key   []byte
	index uint64 // newest batch with effects on bodies or references
	check bodyChecks
}

// open makes the first sweep look for what the last process left.
func (b *bodies) open() {
	b.known = map[bodyID]*body{}
	b.check.suspects, b.check.fresh = map[bodyID]struct{}{}, map[bodyID]struct{}{}
	b.check.sweep = true
}

// newBody gives what a publish stores apart, pinned; nil when that is nothing.
func (sh *shard) newBody(m *Message, targets int) (*body, *apart) {
	shared := targets > 1 && len(m.Record) > shareBytes
	if len(m.Chunks) == 0 && !shared {
		return nil, nil
	}
	h, err := seal.ParseRecord(m.Record)
	if err != nil {
		return nil, nil // it was checked before
	}
	b := sh.pin(h.ID, m.first())
	b.parts = uint32(len(m.Chunks))
	a := &apart{
		id: b.id, shared: shared, parts: b.parts, bytes: m.Sealed.Weight() - int64(len(m.Record)),
	}
	return b, a
}

// pin keeps a body until unpin. exact tells that no reference to it is stored.
func (sh *shard) pin(id bodyID, exact bool) *body {
	b := sh.bodies.known[id]
	if b == nil {
		b = &body{id: id, exact: exact}
		sh.bodies.known[id] = b
	}
	b.pins++
	return b
}

func (sh *shard) unpin(b *body) {
	b.pins--
	sh.loosen(b)
	if b.pins == 0 && len(sh.bodies.known) > maxBodies {
		sh.disown(b)
	}
}

// disown stops counting the references of b.
func (sh *shard) disown(b *body) {
	delete(sh.bodies.known, b.id)
	if b.parts > 0 {
		sh.warm.drop(b.id)
	}
	b.exact, b.stored, b.record = false, false, false
}

// loosen arranges that b goes if it is not needed when the batch closes.
func (sh *shard) loosen(b *body) {
	if b.refs <= 0 && b.pins == 0 && !b.idle {
		b.idle = true
		sh.bodies.idle = append(sh.bodies.idle, b)
	}
}

// dropBodies deletes the bodies that nothing needs any more.
func (sh *shard) dropBodies() {
	for _, b := range sh.bodies.idle {
		b.idle = false
		if b.refs > 0 || b.pins > 0 || sh.bodies.known[b.id] != b {
			continue
		}
		switch {
		case !b.exact:
			sh.suspect(b.id)
		case b.stored:
			sh.batch.Delete(refKey(sh.keys(), b.id, nil))
			for i := range b.parts + 1 {
				if i > 0 || b.record {
					sh.batch.Delete(bodyKey(sh.keys(), b.id, i))
				}
			}
		}
		sh.disown(b)
	}
	clear(sh.bodies.idle)
	sh.bodies.idle = sh.bodies.idle[:0]
}

// keys notes an effect on bodies and gives memory for its key.
func (sh *shard) keys() []byte {
	sh.bodies.index = sh.batch.index
	return sh.bodies.key[:0]
}

// writeParts stores the chunks of a message before any entry of it, in as many
// batches as that takes. It returns false when the batch became full before the
// last one.
func (sh *shard) writeParts(m *Message) (done bool) {
	f := &sh.fan
	for f.part < len(m.Chunks) {
		if sh.err != nil {
			return true
		}
		f.part++
		sh.writeChunk(f.body, uint32(f.part), m.Chunks[f.part-1])
		if sh.full() {
			return false
		}
	}
	return true
}

// writeChunk stores one chunk, and with the first the mark that there is a body.
func (sh *shard) writeChunk(b *body, index uint32, chunk []byte) {
	if !b.stored {
		b.stored = true
		sh.bodies.check.seen = true
		sh.batch.Set(refKey(sh.keys(), b.id, nil), nil)
	}
	sh.batch.SetJoined(bodyKey(sh.keys(), b.id, index), nil, chunk)
}

// attach gives a new entry what lies apart of its message.
func (sh *shard) attach(e *entry, a *apart) {
	e.more().apart = a
	if f := &sh.fan; f.apart == a && a.shared {
		e.common = f.body
	}
}

// more gives what few messages have.
func (f *facts) more() *extra {
	if f.extra == nil {
		f.extra = &extra{}
	}
	return f.extra
}

// storeRecord makes sure that the record of an entry that shares it is stored.
func (sh *shard) storeRecord(e *entry) {
	if e.referred || !e.sharedRecord() {
		return
	}
	id := e.extra.apart.id
	b := sh.bodies.known[id]
	if b == nil {
		if b = e.common; b == nil {
			b = &body{id: id}
		}
		sh.bodies.known[id] = b
	}
	if !b.record {
		b.record = true
		sh.writeChunk(b, 0, e.record)
	}
}

// refer notes that an entry, which is being stored at key, needs what lies apart of
// it. Writing it again at that key changes nothing.
func (sh *shard) refer(e *entry, key []byte) {
	a := e.apart()
	if a == nil || e.referred {
		return
	}
	e.referred = true
	sh.referAt(a, key)
}

// referAt notes that what is stored at key needs a.
func (sh *shard) referAt(a *apart, key []byte) {
	sh.batch.Set(refKey(sh.keys(), a.id, key), nil)
	if c := &sh.bodies.check; c.busy {
		c.fresh[a.id] = struct{}{}
	}
	if b := sh.bodies.known[a.id]; b != nil {
		b.refs++
	}
}

// unrefer takes the reference of an entry back that is not at its key any more.
// One that moves is referred at its new place before or after it, in one step.
func (sh *shard) unrefer(e *entry) {
	if !e.referred {
		return
	}
	e.referred = false
	sh.unreferAt(e.extra.apart, e.storeKey(sh.keybuf[:0]))
}

// unreferAt is unrefer for a message that was kept at key; a may be nil.
func (sh *shard) unreferAt(a *apart, key []byte) {
	if a == nil {
		return
	}
	sh.batch.Delete(refKey(sh.keys(), a.id, key))
	if b := sh.bodies.known[a.id]; b != nil {
		b.refs--
		sh.loosen(b)
		return
	}
	sh.suspect(a.id)
}

// bury keeps the parts of a message in flight whose queue is gone: who has it may
// still be reading. exhume lets go of them.
func (sh *shard) bury(e *entry) {
	if a := e.apart(); a != nil && e.referred {
		e.common = nil
		if a.parts > 0 {
			e.common = sh.pin(a.id, false)
		}
		sh.unrefer(e)
	}
}

func (sh *shard) exhume(e *entry) {
	if e.common != nil {
		sh.unpin(e.common)
	}
}
