// Package embedded is the engine of a single machine: every shard in one
// Pebble store, in a directory that belongs to one process at a time.
//
// It guarantees what storetest asks, at a crash at any write. An error of a
// write or a sync ends the process: nothing is written, retried or
// acknowledged after it. A directory that lost acknowledged batches is refused
// and left as it is. It does not encrypt: what is secret is sealed above.
//
// Every stored byte is described in doc/format/store.md.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
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
	// CacheBytes bounds the cache of read blocks; 0 means 64 MiB.
	CacheBytes int64
	// MemTableBytes is the size of a table in memory and roughly of a log file;
	// at most four exist. 0 means 32 MiB.
	MemTableBytes uint64
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
	if c.FS == nil {
		c.FS = private{vfs.Default}
	}
	if c.InFlight == 0 {
		c.InFlight = 4
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 32 << 20
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
	lock     *dirLock
	guard    *guard
	db       *pebble.DB
	floor    *floor
	places   []*place

	running atomic.Bool           // Open succeeded
	failure atomic.Pointer[error] // the first error of a write or sync

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
	e := &Engine{cfg: cfg}
	e.guard = &guard{FS: cfg.FS, engine: e, limbo: vfs.NewMem()}
	err = e.start()
	e.running.Store(err == nil)
	if failure := e.dead(); failure != nil {
		err = failure // the cause of what start says
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), e.release())
	}
	return e, nil
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
// called again. It is idempotent. After a failure it returns that failure.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	for _, p := range e.places {
		if err := p.close(); err != nil {
			return fmt.Errorf("close store: %w", err)
		}
	}
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

// release closes what start opened, the lock last. Also Open calls it when it
// fails, with whatever is there by then.
func (e *Engine) release() error {
	var errs []error
	if e.floor != nil {
		errs = append(errs, e.floor.close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
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
	if !e.failure.CompareAndSwap(nil, &err) {
		return
	}
	for _, p := range e.places {
		if o := p.current.Load(); o != nil {
			o.lose()
		}
	}
	if e.running.Load() {
		e.cfg.Fatal(err)
	}
}
