package broker

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/fault"
	"coffer/internal/store"
)

// inFlight is how many batches the owner has under way; the store takes as many
// without waiting.
const inFlight = 4

// shard is one queue shard with its owner, the goroutine that alone touches the
// state of its queues. It never reads the store and waits for nobody but its
// own mailbox.
type shard struct {
	core       *Core
	log        *slog.Logger
	id         store.ShardID
	store      store.Shard
	mail       mailbox
	publishing window
	ids        atomic.Int64 // deduplication ids in memory
	outBytes   atomic.Int64
	warm       warm
	reader     reader
	counters   counters
	work       sync.WaitGroup // owner and reader
	stopped    chan struct{}  // closed when the owner ended
	failure    error          // why; set before stopped is closed

	// All below is the owner's.
	place   place
	swift   hand
	in      hand
	fan     fan // of the publish in hand
	done    []*batch
	hurry   []request
	now     []release // to be said at the end of this round
	touched []*Queue
	stale   []*Queue // others are to see what they are now
	wanting []*lane  // want the reader
	ripe    []*Queue // want the reader for what is due
	scratch []byte
	plain   []byte // of a publish's envelope, or a queue record
	lanes   []laneRecord
	keybuf  [dedupKeySize]byte // the largest

	batch       *batch // the open one
	published   int64  // bytes that batches not yet durable store for publishers
	behind      uint64 // newest batch with a delivery out of a long queue
	index       uint64 // its index
	under       int    // batches under way
	durable     uint64 // index of the last durable one
	err         error  // the store failed
	abandoned   bool   // those who wait have heard of it
	stopping    chan reply
	freeBatches []*batch
	freeEntries *entry
	freeCount   int
	freeLeases  []*lease
	random      *rand.ChaCha8 // receipts

	time    int64 // shard time of this round, in milliseconds
	alarms  alarms
	timer   func() // stops it; nil: none is set
	timerAt int64
	linger  *time.Timer // wakes the owner for a batch that lingers
	later   []*Queue    // want another slice
	passes  int         // rounds since the last slices
	handed  int         // how often full queues handed on the message in hand
	steps   int         // left of maxSteps
	failed  []*Consumer // their Match did
	probe   Delivery    // shown to a Match

	bodies   bodies
	couriers []*courier // to each shard
	moves    map[*Move]struct{}
	blocked  []*Queue // with moves that wait for a courier
	taken    map[outboxID]taken
	leavers  map[NamespaceID]request // MayLeave that are not answered
	watch    *watch                  // nil: nobody makes rows anew
	census   *census                 // of what is stored; nil: nobody wants it
	calls    uint64                  // numbers of takers that are no consumers

	memory         int64 // cost of the records held by all queues
	oldest, newest *Queue
}

// hand is letters that the owner has taken, and how far they are worked off.
type hand struct {
	letters
	at cursor
}

type cursor struct{ request, pub, target, settle int }

func (h *hand) empty() bool { return h.at.request == len(h.requests) }

// counters are read by Stats at any time.
type counters struct {
	lost, moved, waiting                              atomic.Int64
	published, unrouted, delivered, settled, released atomic.Int64
	expired, dropped, refused, limited, deadLettered  atomic.Int64
	batches, batchBytes, pages, spilled, memory       atomic.Int64
}

func newShard(c *Core, id store.ShardID, st store.Shard) *shard {
	sh := &shard{
		core: c, log: c.cfg.Logger, id: id, store: st, stopped: make(chan struct{}),
		place: place{platform: c.db.Platform(), shard: id},
		taken: map[outboxID]taken{}, moves: map[*Move]struct{}{},
		leavers: map[NamespaceID]request{},
	}
	var seed [32]byte
	crand.Read(seed[:])
	sh.random = rand.NewChaCha8(seed)
	sh.mail.open(c.cfg.MaxRequests)
	sh.publishing.open(int64(c.cfg.MaxRequests)*4, c.cfg.PublishBytes, &sh.counters.waiting)
	sh.reader.open(sh)
	sh.batch = sh.newBatch()
	sh.linger = time.AfterFunc(lingerTime, sh.mail.notify)
	sh.bodies.open()
	sh.warm.open(c.cfg.QueueBytes)
	return sh
}

func (sh *shard) start() {
	sh.work.Go(sh.own)
	sh.work.Go(sh.reader.run)
	sh.mail.notify() // there are bodies to look at
}

// own is the owner.
func (sh *shard) own() {
	defer close(sh.stopped)
	defer sh.reader.close()
	for range sh.mail.wake {
		sh.round()
		if sh.stopping != nil && sh.idle() {
			sh.failure = closedError()
			sh.abandonMoves(sh.failure)
			sh.mail.close(sh.failure)
			sh.publishing.close(sh.failure)
			sh.mail.end()
			if sh.timer != nil {
				sh.timer()
			}
			sh.linger.Stop()
			sh.stopping <- reply{err: sh.err}
			return
		}
	}
}

// idle reports whether nothing is under way or waits.
func (sh *shard) idle() bool {
	return sh.under == 0 && sh.swift.empty() && sh.in.empty() &&
		(sh.err != nil || !sh.busy() && len(sh.batch.releases) == 0)
}

// round works off what is there and closes the batch if one more may be under
// way.
func (sh *shard) round() {
	sh.signals()
	sh.takeUp()
	sh.ringAlarms()
	for sh.next() {
		for !sh.swift.empty() && !sh.full() {
			sh.step(&sh.swift)
		}
		sh.pumpAll() // what waits goes before what comes
		for !sh.in.empty() && !sh.sated() {
			sh.step(&sh.in)
		}
		sh.flush()
		if sh.sated() {
			break // until a batch under way is durable
		}
	}
	sh.flush()
	sh.tellLeavers()
	sh.setTimer()
	// With many batches under way, or a full one, the next that is durable wakes it.
	if len(sh.later) > 0 && sh.err == nil && !sh.full() && sh.under < sliceFlight {
		sh.mail.notify()
	}
	sh.counters.memory.Store(sh.memory)
}

// next makes sure that there are letters in hand, if there are any.
func (sh *shard) next() bool {
	if sh.mail.swap(&sh.swift, &sh.in) {
		sh.signals() // an urgent letter that came before one of these comes first
	}
	return !sh.swift.empty() || !sh.in.empty()
}

func (sh *shard) full() bool {
	return sh.batch.Size()+sh.batch.noted >= sh.core.cfg.BatchBytes && sh.err == nil
}

// signals handles finished batches and urgent letters.
func (sh *shard) signals() {
	sh.done, sh.hurry = sh.mail.signals(sh.done[:0], sh.hurry[:0])
	sh.tick() // no letter in hand is worked on at a time before it was sent
	for _, b := range sh.done {
		sh.under--
		sh.durable = b.index
		sh.published -= b.published
		if b.err != nil && sh.err == nil {
			sh.fail(b.err)
		}
		sh.recycle(b)
	}
	clear(sh.done)
	for i := range sh.hurry {
		sh.urgent(&sh.hurry[i])
	}
	clear(sh.hurry)
}

// fail stops the shard: what was in memory was speculation.
func (sh *shard) fail(err error) {
	sh.err = fault.Wrap(fault.Unavailable, err, "The message store failed.")
	sh.log.Error("queue shard failed", "shard", sh.id, "err", err)
	sh.mail.close(sh.err)
	sh.publishing.close(sh.err)
	sh.abandonMoves(sh.err)
}

// pumpAll lets the touched queues deliver.
func (sh *shard) pumpAll() {
	for len(sh.touched) > 0 {
		q := sh.touched[len(sh.touched)-1]
		sh.touched = sh.touched[:len(sh.touched)-1]
		q.state.touched = false
		sh.pump(q)
	}
}

// flush lets queues deliver and closes the batch if it may be.
func (sh *shard) flush() {
	sh.pumpAll()
	sh.showAll()
	// First what waits for nothing: once the batch is with the store, what waits
	// for it may be said at any moment, and stands behind this in its queue.
	sh.run(sh.now, sh.err)
	clear(sh.now)
	sh.now = sh.now[:0]
	if sh.err == nil && sh.under < inFlight && !sh.lingers() {
		sh.close()
	}
	if sh.err != nil {
		sh.abandon()
		sh.run(sh.batch.releases, sh.err)
		clear(sh.batch.releases)
		sh.batch.releases = sh.batch.releases[:0]
	}
	sh.beginReads()
}

// close closes the open batch: it writes the records of the queues that changed
// and hands it to the store, or, when it only waits for others and there are
// none, says what it holds.
func (sh *shard) close() {
	sh.dropBodies()
	b := sh.batch
	for _, q := range b.dirty {
		q.state.dirty = false
		if !q.spec.stored() || q.state.gone {
			continue
		}
		if err := sh.writeRecord(q); err != nil {
			sh.fail(err)
			return
		}
	}
	clear(b.dirty)
	b.dirty = b.dirty[:0]
	if err := sh.writeDeeds(b); err != nil {
		sh.fail(err)
		return
	}
	if sh.watch != nil {
		sh.watch.add(b.Ops())
	}
	switch {
	case b.Len() > 0:
		sh.batch = sh.newBatch()
		sh.under++
		sh.store.Propose(&b.Batch, func(_ store.Position, err error) { sh.finish(b, err) })
	case sh.under == 0 && len(b.releases) > 0:
		sh.batch = sh.newBatch()
		sh.durable = b.index
		sh.run(b.releases, nil)
		sh.recycle(b)
	}
}

func (sh *shard) writeRecord(q *Queue) (err error) {
	st := &q.state
	r := queueRecord{next: st.next, lanes: sh.lanes[:0]}
	r.delayed, r.due = st.delayed.durable, st.delayed.due
	for _, l := range st.lanes {
		if l.depth > 0 {
			l.first = l.lowest()
			sh.wipe(l)
			l.marks = l.doomed.len() > 0
			r.lanes = append(r.lanes, laneRecord{l.priority, l.stock})
		}
	}
	sh.lanes = r.lanes
	key := recordKey(sh.keybuf[:0], q.id)
	sh.plain = r.append(sh.plain[:0])
	sh.scratch, err = sh.place.seal(sh.scratch[:0], key, sh.plain)
	if err != nil {
		return fmt.Errorf("seal record of queue %x: %w", uint64(q.id), err)
	}
	sh.batch.Set(key, sh.scratch)
	return nil
}

func (sh *shard) markDirty(q *Queue) {
	if !q.state.dirty {
		q.state.dirty = true
		sh.show(q)
		sh.batch.dirty = append(sh.batch.dirty, q)
	}
}

func (sh *shard) touch(q *Queue) {
	if !q.state.touched {
		q.state.touched = true
		sh.show(q)
		sh.touched = append(sh.touched, q)
	}
}

// say holds r back until the open batch is durable if wait, else until the end
// of the round.
func (sh *shard) say(wait bool, r release) {
	if wait {
		sh.batch.releases = append(sh.batch.releases, r)
	} else {
		sh.now = append(sh.now, r)
	}
}

// busy reports whether something that was asked for is not durable yet.
func (sh *shard) busy() bool {
	return sh.under > 0 || sh.batch.Len() > 0 || len(sh.batch.dirty) > 0 ||
		len(sh.batch.list) > 0
}

// ask posts a request and waits for its answer.
func (sh *shard) ask(ctx context.Context, r request) (reply, error) {
	r.reply = make(chan reply, 1)
	if err := sh.mail.post(r); err != nil {
		return reply{}, err
	}
	select {
	case a := <-r.reply:
		return a, a.err
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-sh.stopped:
	}
	select {
	case a := <-r.reply:
		return a, a.err
	default:
		return reply{}, sh.failure
	}
}
