// Package embedded is the engine of a single machine, in a directory that belongs to one
// process at a time. Batches of all shards go to one log (seglog), and what is live of
// them to tables in memory that refer to it; from time to time those are flushed to
// sorted tables in one Pebble store. What is set and deleted between is written once.
//
// It guarantees what storetest asks, at a crash at any write. An error of a
// write or a sync ends the process: nothing is written, retried or
// acknowledged after it. Only a full disk is no such error: it is met before
// (Room), and waited out where a write meets it all the same. A directory that
// lost acknowledged batches is refused and left as it is. It does not encrypt:
// what is secret is sealed above.
//
// Every stored byte is described in doc/format/store.md.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// Bounds of a configuration.
const (
	maxShards   = 250 // a slot of the floor file holds so many
	maxInFlight = 256
)

// Config says where the engine keeps its data and what it may use. All but Dir
// may be zero.
type Config struct {
	// Dir is the data directory; it is made when it is missing.
	Dir string
	// FS is the file system; nil means the operating system's. It is for tests.
	FS vfs.FS
	// Shards is the number of shards, 1 to 250, fixed at the first start; 0 means
	// the stored number, at first 10: control, eight for queues, events.
	Shards int
	// InFlight bounds the batches of a shard whose done has not returned; 0 means 4.
	InFlight int
	// CacheBytes bounds the cache of read blocks; 0 means 8 MiB. What is read is read
	// once: the system's page cache is enough for the rest.
	CacheBytes int64
	// FlushBytes is how much the log grows until what is live in it is written to sorted
	// tables; it is kept twice at most. 0 means a 64th of the file system, at least
	// 32 MiB, at most 256 MiB.
	FlushBytes int64
	// Writer is the version of the program, one line; a directory that a newer
	// program wrote names that one. "" means unknown.
	Writer string
	// LowWaterBytes is the free space below which Room is an error;
	// LowWaterPercent gives it as a part of the file system instead. Both 0 means
	// 5 %, at least 512 MiB, at most 8 GiB. It is never above a quarter.
	LowWaterBytes   uint64
	LowWaterPercent int
	// PollSpace is how often the free space is looked at and, at most, how long
	// a write that met a full disk waits for its next attempt; 0 means 1 s.
	PollSpace time.Duration
	// SlowSync is the duration from which a sync is logged; 0 means 1 s.
	SlowSync time.Duration
	// Synced is told how long each sync of the log took. It must not block. It may
	// be nil.
	Synced func(took time.Duration)
	// Committed is told of each durable batch: its bytes, and the time since it was
	// handed over. It must not block. It may be nil.
	Committed func(shard store.ShardID, bytes int, took time.Duration)
	// Logger gets what the operator should know; nil discards it.
	Logger *slog.Logger
	// Fatal is called once, after the first error of a write or sync. It must end
	// the process. nil logs the error and exits with status 70. When it returns,
	// as in tests, the engine is dead: nothing is written or acknowledged.
	Fatal func(error)
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("open store: no directory given")
	}
	if c.Shards < 0 || c.Shards > maxShards {
		return c, fmt.Errorf("open store: %d shards, at most %d are possible", c.Shards, maxShards)
	}
	if c.InFlight < 0 || c.InFlight > maxInFlight {
		return c, fmt.Errorf("open store: %d in flight, at most %d", c.InFlight, maxInFlight)
	}
	if c.Writer == "" || strings.ContainsFunc(c.Writer, func(r rune) bool { return r < ' ' }) {
		c.Writer = "unknown"
	}
	if c.LowWaterPercent < 0 || c.LowWaterPercent > 100/markShare {
		return c, fmt.Errorf("open store: a low-water mark of %d %%, at most %d %% are possible",
			c.LowWaterPercent, 100/markShare)
	}
	if c.FS == nil {
		c.FS = private{vfs.Default}
	}
	if c.InFlight == 0 {
		c.InFlight = 4
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 8 << 20
	}
	if c.PollSpace == 0 {
		c.PollSpace = time.Second
	}
	if c.SlowSync == 0 {
		c.SlowSync = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fatal == nil {
		logger := c.Logger
		c.Fatal = func(err error) {
			logger.Error("store failed, the process ends", "error", err)
			os.Exit(70)
		}
	}
	return c, nil
}

// Engine is an open data directory. It is for any number of goroutines.
type Engine struct {
	cfg      Config
	identity Identity
	label    label // what the identity file says
	stored   bool  // it was there
	lock     *dirLock
	guard    *guard
	db       *pebble.DB
	log      *seglog.Log
	flusher  *flusher
	floor    *floor
	places   []*place
	space    *space
	syncs    *syncs

	quarantine *quarantine
	stalls     atomic.Int64 // of writes, by a flush
	waiting    atomic.Int64 // of them, that wait now

	settled atomic.Bool           // the directory was checked and is being used
	running atomic.Bool           // Open succeeded
	failure atomic.Pointer[error] // the first error of a write or sync

	aside   sync.Mutex            // held while checkpoints are made, listed or removed
	spoiled atomic.Pointer[error] // the first error of the one that is being made

	mu        sync.Mutex
	closed    bool
	released  bool // the directory was given back
	snapshots int  // open ones
}

var _ store.Engine = (*Engine)(nil)

// Open opens the store in cfg.Dir, or makes it. Its errors are store.ErrInUse
// when another process holds the directory and store.ErrDamaged, with the name
// of the file, when data that were acknowledged are not there.
func Open(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := newEngine(cfg)
	if err = e.start(); err == nil {
		e.space.begin()
	}
	e.running.Store(err == nil)
	if failure := e.dead(); failure != nil {
		err = failure // the cause of what start says
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), e.release())
	}
	return e, nil
}

// newEngine gives an engine that has read nothing.
func newEngine(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	e.guard = &guard{FS: cfg.FS, engine: e, limbo: vfs.NewMem()}
	e.flusher = newFlusher(e)
	e.quarantine = &quarantine{engine: e, files: map[string]bool{}}
	e.space = newSpace(e)
	e.syncs = &syncs{slow: cfg.SlowSync, synced: cfg.Synced, log: cfg.Logger}
	return e
}

// Identity tells which store this is.
func (e *Engine) Identity() Identity { return e.identity }

// Shards lists the shards in ascending order.
func (e *Engine) Shards() []store.ShardID {
	ids := make([]store.ShardID, len(e.places))
	for i := range ids {
		ids[i] = store.ShardID(i)
	}
	return ids
}

// Open takes ownership of a shard: it fences the former owner, waits for what
// that one proposed, and makes the new epoch durable.
func (e *Engine) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	if int(id) >= len(e.places) {
		return nil, fmt.Errorf("open shard %d: there are %d shards", id, len(e.places))
	}
	o, err := e.places[id].take(ctx)
	if err != nil {
		return nil, fmt.Errorf("open shard %d: %w", id, err)
	}
	return o, nil
}

// Close waits for proposed batches and gives the directory back. While
// snapshots are open it reports them and keeps the directory; it may then be
// called again. It is idempotent. After a failure it returns that failure, and a
// write that waits for room is one.
func (e *Engine) Close() error {
	e.space.end()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	for _, p := range e.places {
		if err := p.close(); err != nil {
			return fmt.Errorf("close store: %w", err)
		}
	}
	e.aside.Lock() // waits for a checkpoint that is being made
	defer e.aside.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.released {
		return e.dead()
	}
	if e.snapshots > 0 {
		return fmt.Errorf("close store: %d snapshots are still open", e.snapshots)
	}
	e.released = true
	if err := e.release(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return e.dead()
}

// StopWaiting lets no write wait for room any more: those that do fail, and the
// engine with them, as Close makes it. It is for who is about to close, and waits
// for batches before. It may be called at any time and again.
func (e *Engine) StopWaiting() { e.space.end() }

// release closes what start opened, the lock last. Also Open calls it when it
// fails, with whatever is there by then.
func (e *Engine) release() error {
	var errs []error
	e.space.close()
	if e.floor != nil {
		errs = append(errs, e.floor.close())
	}
	e.flusher.close()
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	if e.log != nil {
		errs = append(errs, e.log.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.close())
	}
	if e.dead() != nil {
		return nil // the failure says more than what followed from it
	}
	return errors.Join(errs...)
}

// dead gives the failure after which nothing is written, or nil.
func (e *Engine) dead() error {
	if err := e.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail notes the first error of a write or sync: nobody owns a shard any more
// and, unless Open still runs and reports it, the process ends.
func (e *Engine) fail(err error) {
	if e.freeze(err) && e.running.Load() {
		e.cfg.Fatal(err)
	}
}

// freeze notes the first error, and reports whether this is it.
func (e *Engine) freeze(err error) bool {
	if !e.failure.CompareAndSwap(nil, &err) {
		return false
	}
	for _, p := range e.places {
		if o := p.current.Load(); o != nil {
			o.lose()
		}
	}
	return true
}
