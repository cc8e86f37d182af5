package broker

import (
	"bytes"

	"coffer/internal/store"
)

// due reads the messages that are due, in their order.
func (r *reader) due(snap store.Snapshot, j *dueJob) (err error) {
	durable, err := r.dueIter(snap, j, classDurable)
	var spilled dueWalk
	if err == nil && j.spills {
		spilled, err = r.dueIter(snap, j, classSpilled)
	}
	defer func() {
		for _, w := range [...]*dueWalk{&durable, &spilled} {
			if w.it == nil {
				continue
			}
			if cerr := w.it.Close(); err == nil {
				err = cerr
			}
		}
	}()
	j.next = maxTime
	for left := j.bytes; err == nil; {
		w := &durable
		if !w.ok || spilled.ok && bytes.Compare(spilled.it.Key()[1:], w.it.Key()[1:]) < 0 {
			w = &spilled
		}
		if !w.ok {
			return nil
		}
		if left <= 0 || len(j.found) >= maxPage || w.due > j.now {
			j.next = w.due
			return nil
		}
		left -= len(w.it.Value())
		w.stored, err = r.message(w.it.Key(), w.it.Value())
		if err != nil {
			return err
		}
		w.position = position{w.class, w.seq}
		j.found = append(j.found, w.dueMessage)
		err = w.step()
	}
	return err
}

// dueWalk is an iterator over the delayed messages of one class and where it
// stands.
type dueWalk struct {
	dueMessage
	class class
	seq   uint64
	it    store.Iterator
	ok    bool
}

func (r *reader) dueIter(snap store.Snapshot, j *dueJob, c class) (dueWalk, error) {
	lower := delayedKey(nil, c, j.queue.id, j.from, 0, 0)
	_, upper := kindRange(c, j.queue.id, kindDelayed)
	w := dueWalk{class: c, it: snap.Iter(lower, upper)}
	return w, w.step()
}

func (w *dueWalk) step() (err error) {
	if w.ok = w.it.Next(); !w.ok {
		return w.it.Err()
	}
	w.due, w.seq, w.priority, err = parseDelayedKey(w.it.Key())
	return err
}
