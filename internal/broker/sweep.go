package broker

import (
	"bytes"
	"fmt"

	"coffer/internal/store"
)

// bodyChecks is the owner's side of the search for bodies that nothing refers to.
// No counts are stored: a body is alive while one of its references leads to an
// entry that is there.
type bodyChecks struct {
	seen     bool // there may be bodies
	busy     bool // the reader is at it
	suspects map[bodyID]struct{}
	fresh    map[bodyID]struct{} // referred to since the reader began

	sweep bool // all bodies are to be looked at
	again bool // once more afterwards
	from  []byte
	live  bool // of the body at from, an entry was found
}

// Bounds of one look at bodies.
const (
	maxSuspects = 1 << 16
	checkSlice  = 1024
)

// bodyCheck is one look: at single bodies, and at the next ones of a sweep.
type bodyCheck struct {
	ids   []bodyID
	sweep bool
	from  []byte
	live  bool

	stale   [][]byte // keys of references without an entry
	orphans []bodyID
	unsure  []bodyID // have more references than fit a slice
	next    []byte   // where the sweep goes on; nil: it is at its end
	some    bool     // there are bodies
}

// suspect lets the reader look whether anything refers to a body.
func (sh *shard) suspect(id bodyID) {
	c := &sh.bodies.check
	if len(c.suspects) >= maxSuspects {
		sh.sweepSoon()
		return
	}
	c.suspects[id] = struct{}{}
}

// sweepSoon looks at all bodies, because entries went in ranges.
func (sh *shard) sweepSoon() {
	c := &sh.bodies.check
	switch {
	case c.sweep:
		c.again = true
	case c.seen:
		c.sweep, c.from, c.live = true, nil, false
	}
}

// beginCheck sends the reader out, once what the owner did to references is
// with the store: what it does afterwards is in fresh.
func (sh *shard) beginCheck() {
	c := &sh.bodies.check
	if c.busy || sh.err != nil || sh.batch.index <= sh.bodies.index ||
		len(c.suspects) == 0 && !c.sweep {
		return
	}
	k := &bodyCheck{sweep: c.sweep, from: c.from, live: c.live}
	for id := range c.suspects {
		if len(k.ids) == checkSlice {
			break
		}
		k.ids = append(k.ids, id)
		delete(c.suspects, id)
	}
	c.busy = true
	sh.reader.add(&readJob{check: k})
}

// finishCheck deletes what the reader found to be of no use.
func (sh *shard) finishCheck(k *bodyCheck, err error) {
	c := &sh.bodies.check
	c.busy = false
	if sh.err != nil {
		return
	}
	if err != nil {
		sh.log.Error("bodies cannot be checked", "shard", sh.id, "err", err)
		c.sweep = false
		return
	}
	for _, key := range k.stale {
		sh.keys()
		sh.batch.Delete(key)
		id, _, err := parseRefKey(key)
		if b := sh.bodies.known[id]; err == nil && b != nil {
			b.refs--
			sh.loosen(b)
		}
	}
	for _, id := range k.orphans {
		_, fresh := c.fresh[id]
		if sh.bodies.known[id] == nil && !fresh {
			sh.batch.Delete(refKey(sh.keys(), id, nil))
			sh.batch.DeleteRange(bodyRange(id))
		}
	}
	clear(c.fresh)
	for _, id := range k.unsure {
		sh.suspect(id)
	}
	if !k.sweep {
		return
	}
	c.seen = c.seen || k.some
	c.from, c.live = k.next, k.live
	if k.next == nil {
		c.sweep, c.again = c.again, false
	}
}

// check looks at bodies for the owner.
func (r *reader) check(snap store.Snapshot, k *bodyCheck) error {
	for _, id := range k.ids {
		one := bodyCheck{from: refKey(nil, id, nil)}
		if err := r.walkRefs(snap, &one, append(bytes.Clone(one.from), 0xff)); err != nil {
			return err
		}
		k.stale = append(k.stale, one.stale...)
		k.orphans = append(k.orphans, one.orphans...)
		if one.next != nil && !one.live {
			k.unsure = append(k.unsure, id)
		}
	}
	if !k.sweep {
		return nil
	}
	if k.from == nil {
		k.from = []byte{byte(classRef)}
	}
	return r.walkRefs(snap, k, []byte{byte(classRef) + 1})
}

// walkRefs looks at the references from k.from on, about a slice of them.
func (r *reader) walkRefs(snap store.Snapshot, k *bodyCheck, upper []byte) (err error) {
	it := snap.Iter(k.from, upper)
	defer func() {
		if cerr := it.Close(); err == nil {
			err = cerr
		}
	}()
	var now bodyID
	some, live := k.live, k.live
	if k.live {
		now, _, err = parseRefKey(k.from)
	}
	for n := 0; err == nil && it.Next(); n++ {
		id, entry, err := parseRefKey(it.Key())
		if err != nil {
			return err
		}
		if some && id != now && !live {
			k.orphans = append(k.orphans, now)
		}
		if id != now || !some {
			now, some, live = id, true, false
		}
		if n >= checkSlice {
			// What was looked at is gone when the rest is, unless an entry was found.
			if k.next, k.live = bytes.Clone(it.Key()), live; !live {
				k.next = refKey(nil, id, nil)
			}
			k.some = true
			return nil
		}
		if len(entry) == 0 {
			continue
		}
		_, ok, err := snap.Get(entry)
		if err != nil {
			return fmt.Errorf("reference %x: %w", it.Key(), err)
		}
		if live = live || ok; !ok {
			k.stale = append(k.stale, bytes.Clone(it.Key()))
		}
	}
	if err == nil {
		err = it.Err()
	}
	if some && !live {
		k.orphans = append(k.orphans, now)
	}
	k.next, k.live, k.some = nil, false, some
	return err
}
