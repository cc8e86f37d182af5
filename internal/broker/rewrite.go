package broker

import (
	"bytes"

	"coffer/internal/store"
)

// maxWatched bounds what a watch keeps.
const maxWatched = 1 << 16

// watch is what the owner writes while somebody makes rows anew that he read from a
// snapshot: those must not be written over what is newer.
type watch struct {
	keys   map[string]struct{}
	ranges [][2][]byte
	over   bool // too much was written
}

// add notes what a batch writes.
func (w *watch) add(ops []store.Op) {
	if w.over = w.over || len(w.keys)+len(w.ranges)+len(ops) > maxWatched; w.over {
		w.keys, w.ranges = nil, nil
		return
	}
	for _, op := range ops {
		if op.Kind == store.OpDeleteRange {
			w.ranges = append(w.ranges, [2][]byte{bytes.Clone(op.Key), bytes.Clone(op.Value)})
		} else {
			w.keys[string(op.Key)] = struct{}{}
		}
	}
}

// wrote reports whether the row at a key was written or deleted, or may have been.
func (w *watch) wrote(key []byte) bool {
	_, ok := w.keys[string(key)]
	for _, r := range w.ranges {
		ok = ok || bytes.Compare(r[0], key) <= 0 && bytes.Compare(key, r[1]) < 0
	}
	return ok || w.over
}

// rewrite puts rows into the open batch that were made anew since the watch began, but
// for those that it saw written; what the open batch does to them comes first. The answer
// counts them, and comes when they are durable, with all that came before them; ok when
// none was left out for want of a good watch.
func (sh *shard) rewrite(r *request) {
	w := sh.watch
	sh.watch = nil
	a := reply{ok: true}
	if len(r.rows) > 0 {
		if w == nil {
			w = &watch{over: true}
		}
		w.add(sh.batch.Ops())
		a.ok = !w.over
	}
	for i := range r.rows {
		if row := &r.rows[i]; !w.wrote(row.key) {
			sh.batch.Set(row.key, row.value)
			a.count++
		}
	}
	sh.say(true, answering(r.reply, a))
}
