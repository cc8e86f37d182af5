package embedded

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// Bounds of what is in memory before it is flushed, beside Config.FlushBytes: they
// hold for small messages and for emptied ranges.
const (
	maxRows   = 256 << 10 // in all tables together
	segments  = 2         // of the log, in each of which half of FlushBytes fits
	maxLevels = 64        // that a read may have to look into; with so many a flush waits
)

// Bounds of Config.FlushBytes where it is not given. The longer the log may be, the more
// of what comes also goes before anything writes it a second time; but a start after a
// crash reads it, and the disk holds it three times, with the files to use again.
const (
	flushShare = 64 // of the file system
	leastFlush = 32 << 20
	mostFlush  = 256 << 20
)

// sizeLog sets FlushBytes where it is not given. The directory is there.
func (e *Engine) sizeLog() {
	if e.cfg.FlushBytes != 0 {
		return
	}
	e.cfg.FlushBytes = mostFlush
	if usage, err := e.cfg.FS.GetDiskUsage(e.cfg.Dir); err == nil {
		share := min(usage.TotalBytes/flushShare, mostFlush) &^ (1<<20 - 1)
		e.cfg.FlushBytes = max(int64(share), leastFlush)
	}
}

// A flusher brings what is live in memory into sorted tables on the disk, so that
// the log before it is superfluous. One flush runs at a time; while it does, the
// shards go on with new tables in memory until those are full as well.
type flusher struct {
	engine *Engine
	wake   chan struct{} // holds a token when there may be something to do
	stop   chan struct{}
	wg     sync.WaitGroup

	logged atomic.Int64  // bytes of the log since the last flush began
	before atomic.Int64  // bytes that a flush which runs has to do
	ever   atomic.Int64  // bytes of the log since Open
	rows   atomic.Int64  // in the active tables
	from   atomic.Uint64 // the first segment of the log that the active tables refer to
	long   atomic.Bool   // they fill segments, with groups that are little but begin a page each

	flushing sync.Mutex // held during a flush

	mu    sync.Mutex
	cond  sync.Cond
	busy  bool    // a flush runs
	ended bool    // nobody waits any more
	bases []*base // of which somebody holds one, the oldest first; the last is the present one

	count, written atomic.Int64 // flushes that ended, and bytes of tables that they wrote
}

func newFlusher(e *Engine) *flusher {
	f := &flusher{engine: e, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	f.cond.L = &f.mu
	return f
}

// run flushes when the memory is full, until close.
func (f *flusher) run() {
	f.wg.Go(func() {
		for {
			select {
			case <-f.wake:
			case <-f.stop:
				return
			}
			f.tidy()
			if f.full() {
				if err := f.flush(); err != nil {
					f.engine.fail(fmt.Errorf("flush: %w", err))
				}
			}
		}
	})
}

// close waits for a flush that runs and closes what is left of bases.
func (f *flusher) close() {
	close(f.stop)
	f.wg.Wait()
	for _, b := range f.bases {
		_ = b.disk.Close() // has no error
	}
}

// note says that a batch of so many bytes, in that segment, added so many rows to a
// table. The caller holds the lock of the place.
func (f *flusher) note(size, rows int, segment uint64) {
	f.logged.Add(int64(size))
	f.ever.Add(int64(size))
	f.rows.Add(int64(rows))
	if segment >= f.from.Load()+segments {
		f.long.Store(true)
	}
	if f.full() {
		f.poke()
	}
}

func (f *flusher) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// full reports whether the active tables have as much as they may.
func (f *flusher) full() bool {
	return f.logged.Load() >= f.engine.cfg.FlushBytes || f.rows.Load() >= maxRows || f.long.Load()
}

// held is the bytes of the log that no table on the disk has.
func (f *flusher) held() uint64 { return uint64(f.logged.Load() + f.before.Load()) }

// pass waits while the memory is full and what was in it before is still being
// flushed. Batches pass it when they are durable, so that no more are handed over than
// may be in flight.
func (f *flusher) pass() error {
	if !f.full() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	told := false
	for f.busy && f.full() {
		if !told {
			told = true
			f.engine.stallBegins()
		}
		f.cond.Wait()
	}
	if told {
		f.engine.stallEnds()
	}
	return f.engine.dead()
}

// flush writes what is live in memory, as it is at some moment of the call, to
// tables.
func (f *flusher) flush() error {
	f.flushing.Lock()
	defer f.flushing.Unlock()
	f.setBusy(true)
	defer f.setBusy(false)
	f.awaitCompaction()
	e := f.engine
	from, tables, err := f.begin()
	if err == nil {
		err = e.dead()
	}
	if err != nil {
		return err
	}
	// To find the level of a table, Pebble reads in tables that begin before it and end
	// behind it. When it meets damage there, one table of all shards needs none of that.
	err = f.ingest(from, tables, tableBytes)
	if pebble.IsCorruptionError(err) {
		err = f.ingest(from, tables, math.MaxUint64)
	}
	if err != nil {
		return damage(err, e.path(dataName))
	}
	f.count.Add(1)
	f.end(from)
	return nil
}

// ingest writes sorted tables of about that size and gives them to Pebble.
func (f *flusher) ingest(from uint64, tables []*table, size uint64) error {
	e := f.engine
	w := newTableWriter(e, size)
	disk := f.present().disk
	for id, t := range tables {
		if err := w.shard(store.ShardID(id), t, disk); err != nil {
			return err
		}
	}
	if err := w.finish(from); err != nil {
		return err
	}
	if err := e.dead(); err != nil {
		return err // what was written since is not there
	}
	if err := e.db.Ingest(context.Background(), w.paths); err != nil {
		return err
	}
	f.written.Add(w.written)
	return e.dead() // nor is what Pebble noted
}

// awaitCompaction waits while what was flushed is not compacted and reads suffer. For a
// compaction that meets damage it does not: that would let nobody write any more.
func (f *flusher) awaitCompaction() {
	e := f.engine
	for e.db.Metrics().ReadAmp() >= maxLevels && !e.quarantine.stuck() && e.dead() == nil {
		select {
		case <-time.After(lookEvery):
		case <-e.space.closing:
			return
		}
	}
}

func (f *flusher) setBusy(busy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = busy
	f.cond.Broadcast()
}

// begin gives every shard a new active table, and gives those that they had when all
// that is in them is durable, with the first segment of the log that has nothing of
// them.
func (f *flusher) begin() (from uint64, tables []*table, err error) {
	e := f.engine
	var last []seglog.Ref
	for _, p := range e.places {
		p.mu.Lock()
	}
	from = e.log.Roll()
	f.before.Store(f.logged.Swap(0))
	f.rows.Store(0)
	f.from.Store(from)
	f.long.Store(false)
	for _, p := range e.places {
		tables, last = append(tables, p.now.active), append(last, p.last)
		p.seeing.Lock()
		p.now.flushing, p.now.active, p.seen = p.now.active, newTable(p.pos), nil
		p.seeing.Unlock()
		p.mu.Unlock()
	}
	for _, ref := range last {
		if ref != (seglog.Ref{}) {
			if err := e.log.Wait(ref); err != nil {
				return 0, nil, err
			}
		}
	}
	return from, tables, nil
}

// end lets the shards see the new tables instead of those in memory.
func (f *flusher) end(from uint64) {
	e := f.engine
	old := f.present()
	next := f.add(from)
	for _, p := range e.places {
		p.seeing.Lock()
		p.now.flushing, p.now.base = nil, next.take()
		p.seeing.Unlock()
		e.letGo(old)
	}
	f.before.Store(0)
	e.letGo(old) // it is not the present one any more
}

// add makes a base of what is on the disk now, the present one.
func (f *flusher) add(from uint64) *base {
	b := &base{disk: f.engine.db.NewSnapshot(), from: from}
	b.take()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bases = append(f.bases, b)
	return b
}

func (f *flusher) present() *base {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bases[len(f.bases)-1]
}

// tidy closes the bases that nobody holds and lets the log use its files again. Pebble
// may look for a compaction then, so that readers leave it to this goroutine.
func (f *flusher) tidy() {
	f.mu.Lock()
	var gone []*base
	kept := f.bases[:0]
	for _, b := range f.bases {
		if b.refs.Load() > 0 {
			kept = append(kept, b)
		} else {
			gone = append(gone, b)
		}
	}
	clear(f.bases[len(kept):])
	f.bases = kept
	from := kept[0].from
	f.mu.Unlock()
	for _, b := range gone {
		_ = b.disk.Close() // has no error
	}
	if len(gone) > 0 {
		f.engine.log.Release(from)
	}
}

// letGo is for who is done with a base.
func (e *Engine) letGo(b *base) {
	if b.letGo() {
		e.flusher.poke()
	}
}

// stallBegins and stallEnds count and tell that writes wait.
func (e *Engine) stallBegins() {
	e.stalls.Add(1)
	if e.waiting.Add(1) == 1 {
		e.cfg.Logger.Warn("writes wait until the tables in memory are flushed")
	}
}

func (e *Engine) stallEnds() {
	if e.waiting.Add(-1) == 0 {
		e.cfg.Logger.Info("writes go on")
	}
}
