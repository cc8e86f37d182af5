package broker

import (
	"time"

	"coffer/internal/store"
)

// batch is a store batch and what may be said when it is durable, in order.
type batch struct {
	store.Batch
	index     uint64 // from 1, without holes
	dirty     []*Queue
	releases  []release
	parcels   []posted
	wanted    bool      // there is more in it than settlements
	published int64     // bytes of what it stores for publishers
	lingers   time.Time // since when it does; zero: it does not
	err       error

	// Publishings that it confirms, and since when the oldest may have been waiting.
	confirms int
	since    time.Time

	// What must be on record.
	list    []*Deed
	deeds   map[deedKey]*Deed // those that take more messages
	noted   int               // bytes that they will need, about
	durable func()            // for the Recorder; nil: nothing is on record
}

// release is something that waits for a batch: an event for a session, with the
// room in the publish window that it gives back, or an answer.
type release struct {
	s     *Session
	event Event // Kind 0: none
	count int64 // publishings that leave the window
	bytes int64

	answer   *answer   // nil: none
	progress *progress // of a move; nil: none
}

// answer is a reply that waits, and where it goes.
type answer struct {
	to chan reply
	reply
}

// answering is a release that says a to who waits, if anybody does.
func answering(to chan reply, a reply) release {
	if to == nil {
		return release{}
	}
	return release{answer: &answer{to, a}}
}

// run says what was held back, or that it failed.
func (sh *shard) run(list []release, err error) {
	var freed, freedBytes int64
	for i := range list {
		r := &list[i]
		freed += r.count
		freedBytes += r.bytes
		if r.count > 0 {
			r.s.window.release(r.count, r.bytes)
		}
		if r.progress != nil {
			r.progress.say(err)
			continue
		}
		if a := r.answer; a != nil {
			if err != nil {
				a.reply = reply{err: err}
			}
			a.to <- a.reply
			continue
		}
		if err != nil {
			if r.event.Kind == Delivered {
				continue // it may not be stored
			}
			r.event.Err = err
		}
		if r.event.Kind != 0 {
			r.s.outbox.put(r.event)
		}
	}
	if freed > 0 {
		sh.publishing.release(freed, freedBytes)
	}
}

// await notes that n of the publishings in hand are confirmed with the open batch.
func (sh *shard) await(n int) {
	if sh.batch.confirms == 0 {
		sh.batch.since = sh.in.since
	}
	sh.batch.confirms += n
}

// durable is called by the store, in the order of the batches.
func (sh *shard) finish(b *batch, err error) {
	b.err = err
	if err == nil {
		sh.counters.batches.Add(1)
		sh.counters.batchBytes.Add(int64(b.Size()))
		if fn := sh.core.cfg.Confirmed; fn != nil && b.confirms > 0 {
			fn(b.confirms, time.Since(b.since))
		}
	}
	if err == nil && b.durable != nil {
		b.durable()
	}
	sh.run(b.releases, err)
	for _, p := range b.parcels {
		if err == nil {
			p.courier.announce(p.sequence)
		}
	}
	sh.mail.finish(b)
}

func (sh *shard) newBatch() *batch {
	sh.index++
	var b *batch
	if n := len(sh.freeBatches); n > 0 {
		b = sh.freeBatches[n-1]
		sh.freeBatches = sh.freeBatches[:n-1]
	} else {
		b = &batch{}
	}
	b.index = sh.index
	return b
}

// keepBatch bounds the memory that a batch keeps, in bytes and releases.
const (
	keepBatch    = 4 << 20
	keepReleases = 1 << 14
)

func (sh *shard) recycle(b *batch) {
	if b.Size() > keepBatch || cap(b.releases) > keepReleases {
		return
	}
	b.parcels, b.durable, b.confirms = b.parcels[:0], nil, 0
	b.wanted, b.lingers = false, time.Time{}
	b.published = 0
	clear(b.releases)
	clear(b.dirty)
	b.releases, b.dirty, b.err = b.releases[:0], b.dirty[:0], nil
	b.Reset()
	sh.freeBatches = append(sh.freeBatches, b)
}
