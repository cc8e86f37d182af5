package broker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"coffer/internal/store"
)

// arrival is parcels at their target.
type arrival struct {
	outbox  outboxID
	parcels []parcel
	next    int // the one to go on with
	fan     fan // of that
}

// arrive inserts parcels, and answers when all are durable. It returns false when
// the batch is full, and then comes again for the rest. A batch that inserts one also
// notes that, so that one that comes again, because one of the shards ended before it
// knew, is told by its sequence. The answer counts them: at one whose namespace is not
// here any more it ends.
func (sh *shard) arrive(r *request) (done bool) {
	if sh.err != nil {
		r.reply <- reply{err: sh.err}
		return true
	}
	a := r.arrival
	before := sh.taken[a.outbox]
	now, away := before, false
	for a.next < len(a.parcels) && (a.next == 0 || !sh.full()) {
		p := &a.parcels[a.next]
		if p.sequence > now.sequence {
			if away = sh.absent(p.namespace); away {
				break
			}
			if p.sequence > now.sequence+1 { // others took what is between
				now = taken{sequence: p.sequence - 1}
			}
			if !sh.insertParts(a, &p.message) {
				break
			}
			if now.partly = sh.insertParcel(p, now.partly); now.partly != 0 {
				break
			}
			now.sequence = p.sequence
			if a.fan.body != nil {
				sh.unpin(a.fan.body)
			}
			a.fan = fan{}
		}
		a.next++
	}
	if now != before {
		sh.note(a.outbox, now)
	}
	if a.next < len(a.parcels) && sh.err == nil && !away {
		return false
	}
	sh.say(true, answering(r.reply, reply{count: a.next}))
	return true
}

// absent reports whether a namespace exists but takes nothing here now: it is being
// moved, or was.
func (sh *shard) absent(id NamespaceID) bool {
	sh.core.mu.Lock()
	defer sh.core.mu.Unlock()
	at, exists := sh.core.existing[id]
	return exists && (at.at != sh || sh.core.namespaces[id] == nil)
}

// insertParcel puts a message into its queues with higher ids than after. It
// gives the id of the last one when the batch is full before all have it, else 0. A
// message whose namespace or queues are gone is dropped, as a publish would be.
func (sh *shard) insertParcel(p *parcel, after queueID) (partly queueID) {
	n := sh.core.opened(p.namespace)
	var targets []*Queue
	switch {
	case n == nil || n.shard != sh:
	case p.queue == 0:
		targets, _ = n.Topology().Route(nil, p.message.Address, p.message.Key)
	default:
		if q, ok := n.Topology().Queue(p.name); ok && q.id == p.queue {
			targets = append(targets, q)
		}
	}
	targets = slices.DeleteFunc(targets, func(q *Queue) bool {
		return q.id <= after || q.state.frozen || q.state.gone
	})
	if len(targets) == 0 && after == 0 {
		sh.counters.lost.Add(1)
	}
	slices.SortFunc(targets, func(a, b *Queue) int { return cmp.Compare(a.id, b.id) })
	b := burial{message: p.message, targets: targets, rounds: p.rounds}
	if p.history != nil {
		b.history = *p.history
	}
	for i, q := range targets {
		q.state.lastBatch = sh.batch.index // a delivery waits for the note, too
		if p.queue == 0 {
			sh.forwardOne(&b)
		} else {
			sh.enqueue(q, &p.message, p.history)
		}
		if i+1 < len(targets) && sh.batch.Size() >= maxFan && sh.err == nil {
			return q.id
		}
	}
	return 0
}

// note writes how far the parcels of an outbox are taken.
func (sh *shard) note(of outboxID, t taken) {
	sh.taken[of] = t
	key := takenKey(nil, of, sh.id)
	v, err := sh.place.seal(nil, key, t.append(nil))
	if err != nil {
		sh.fail(fmt.Errorf("seal sequence taken from shard %d: %w", of.from, err))
		return
	}
	sh.batch.Set(key, v)
}

// loadTaken reads how far the parcels of other shards were taken.
func (sh *shard) loadTaken() (err error) {
	snap := sh.store.Snapshot()
	it := snap.Iter([]byte{byte(classTaken)}, []byte{byte(classTaken) + 1})
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	for it.Next() {
		key := it.Key()
		of, err := parseTakenKey(key, sh.id)
		if err != nil {
			return err
		}
		plain, err := sh.place.open(nil, key, it.Value())
		if err != nil {
			return err
		}
		if sh.taken[of], err = parseTaken(plain); err != nil {
			return fmt.Errorf("%w: key %x: %w", store.ErrDamaged, key, err)
		}
	}
	return it.Err()
}
