// Package control is the unit of work over shard 0, where Coffer's control
// state lives: accounts, keys, grants, brokers, users, topology. A unit of work
// reads, collects effects and hooks, and commits all effects as one durable
// batch or none. Units that write take turns; units that read run beside them.
//
// Guarantees: what Update or View returns rests on durable state only; effects
// of one unit are atomic; hooks run once, in the order of the commits, after
// the batch is durable; values are sealed under the platform key and bound to
// their place; time never goes backwards. What has been removed or put back
// from an old copy of the disk it cannot tell. It knows no service and no
// protocol.
package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// ErrRootKey: the root key does not open this store. Nothing was changed.
var ErrRootKey = errors.New("control: the root key does not open this data directory")

// Config tunes a DB; the zero value is the default.
type Config struct {
	Now func() time.Time // the clock; default time.Now
	// Incarnation of the store. A start under another one than the last is the
	// first of a copy, and takes its number far from the original's.
	Incarnation [16]byte
	// RootHeader is kept in clear beside what the root key of a new store wraps, and
	// bound to it: how that key is come by. At most 64 KiB; see [RootHeader].
	RootHeader []byte
}

// DB is the control state of one data directory. It is safe for concurrent use.
type DB struct {
	shard       store.Shard
	now         func() time.Time
	start       uint32
	incarnation [16]byte
	platform    *seal.Epochs
	macs        macs

	rotation sync.Mutex // held while a key is replaced
	begun    uint32     // the start number of the newest platform key or start

	turn chan struct{} // holds a token while a writer is between first read and Propose
	// state numbers the states of the shard: odd while a batch is on its way into it, else
	// even and 2 more after each.
	state atomic.Uint64

	mu      sync.Mutex
	last    time.Time // newest time given out
	tail    *commit   // the last one that was proposed
	ring    *ring     // replaced with rotation held, too; not changed
	rotated rotated
}

// commit is one unit of work that wrote. Commits form a chain: hooks run in its
// order.
type commit struct {
	*outcome
	hooked chan struct{} // closed when the hooks of this and all earlier ones ran
}

// outcome is what became of a batch.
type outcome struct {
	durable chan struct{} // closed when the batch is durable or failed
	err     error         // set before durable is closed
}

// Open reads the platform key with rootKey (which stays the caller's), or makes
// one in an empty shard, and begins a new start number, durable before it
// returns. The DB uses the shard until the process ends; who reads and writes it
// beside the DB breaks its guarantees. Errors: [ErrRootKey], [store.ErrDamaged].
func Open(ctx context.Context, shard store.Shard, rootKey []byte, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	done := &commit{&outcome{durable: make(chan struct{})}, make(chan struct{})}
	close(done.durable)
	close(done.hooked)
	db := &DB{
		shard: shard, now: cfg.Now, incarnation: cfg.Incarnation,
		tail: done, turn: make(chan struct{}, 1),
	}
	db.state.Store(2) // 0 is none
	if err := db.boot(ctx, rootKey, cfg.RootHeader); err != nil {
		return nil, err
	}
	return db, nil
}

// Platform seals values that must open without any customer key. The shards of
// the broker use it for envelopes and records of their own. Its key may be replaced at any
// time: what seals a value early and stores it late has to seal it anew if it is stale
// then; see [DB.Reseal].
func (db *DB) Platform() *seal.Epochs { return db.platform }

// StartNumber counts the starts of this data directory, from 1; at the first start
// of a copy it leaps.
func (db *DB) StartNumber() uint32 { return db.start }

// Update runs fn in a unit of work that may write, commits its effects and
// returns when they are durable and the hooks ran. An error or panic of fn drops
// the effects. Within another unit (ctx carries one) fn joins it: its effects are
// kept if it succeeds and dropped alone if it fails.
//
// A ctx that ends stops the wait for other writers. Once the effects are with
// the store it is not heeded: the caller is told what became of them. An error
// of the store may be [store.ErrUnknown]; then no later unit succeeds either.
func (db *DB) Update(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx := From(ctx); tx != nil {
		return tx.join(ctx, fn)
	}
	if tx, ok := ctx.Value(txKey{}).(*Tx); ok && tx.phase.Load() == phaseHooks {
		return errors.New("control: update by a hook of a unit of work")
	}
	select {
	case db.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for other writers: %w", context.Cause(ctx))
	}
	tx, c, prev, err := db.write(ctx, fn)
	if err != nil {
		return err
	}
	defer tx.phase.Store(phaseOver)
	<-c.durable
	<-prev.hooked
	defer close(c.hooked)
	if c.err != nil {
		tx.abandon(Savepoint{})
		return fmt.Errorf("commit: %w", c.err)
	}
	for _, h := range slices.Backward(tx.after) {
		defer h() // the oldest first; one that panics does not keep the others from running
	}
	return nil
}

// write runs fn and proposes its effects. It gives the turn back, also when fn
// panics.
func (db *DB) write(ctx context.Context, fn func(context.Context, *Tx) error) (
	tx *Tx, c, prev *commit, err error,
) {
	defer func() {
		<-db.turn
		if tx == nil {
			return
		}
		tx.close(phaseHooks)
		if c == nil {
			defer tx.phase.Store(phaseOver)
			tx.abandon(Savepoint{})
		}
	}()
	tx = db.begin(true)
	if err = fn(context.WithValue(ctx, txKey{}, tx), tx); err == nil {
		err = tx.err
	}
	if err != nil {
		return tx, nil, nil, err
	}
	b, err := tx.batch()
	if err != nil {
		return tx, nil, nil, err
	}
	c, prev = db.propose(b)
	return tx, c, prev, nil
}

// View runs fn in a unit of work that only reads, beside others, and returns
// when all it read is durable. Within another unit it reads that one's view. The
// error of a store that failed or has another owner, or of ctx, replaces that of
// fn: what fn saw is void then.
func (db *DB) View(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx := From(ctx); tx != nil {
		return fn(ctx, tx)
	}
	return db.view(ctx, fn, true)
}

// Peek is View that does not wait until what it read is durable. It is for who the caller
// of a request is: what the request does waits before its answer, and it must not wait
// for others' writes before it takes a key away.
func (db *DB) Peek(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx := From(ctx); tx != nil {
		return fn(ctx, tx)
	}
	return db.view(ctx, fn, false)
}

func (db *DB) view(
	ctx context.Context, fn func(context.Context, *Tx) error, wait bool,
) error {
	tx := db.begin(false)
	db.mu.Lock()
	tail := db.tail // proposed after or with all that the snapshot shows
	db.mu.Unlock()
	err := tx.read(ctx, fn)
	if !wait {
		return db.held(err)
	}
	select {
	case <-tail.durable:
	default:
		select {
		case <-tail.durable:
		case <-ctx.Done():
			return fmt.Errorf("read: %w", context.Cause(ctx))
		}
	}
	if tail.err != nil {
		return fmt.Errorf("read: %w", tail.err)
	}
	return db.held(err)
}

// held gives the error of a read, unless the shard has another owner.
func (db *DB) held(err error) error {
	select {
	case <-db.shard.Lost():
		return fmt.Errorf("read: the shard has another owner: %w", store.ErrLost)
	default:
		return err
	}
}

func (tx *Tx) read(ctx context.Context, fn func(context.Context, *Tx) error) error {
	defer tx.close(phaseOver)
	if err := fn(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
		return err
	}
	return tx.err
}

func (db *DB) begin(writable bool) *Tx {
	before := db.state.Load()
	tx := &Tx{db: db, snap: db.shard.Snapshot(), writable: writable, time: db.tick()}
	if writable {
		tx.overlay = map[string]effect{}
	}
	// Which side of a batch on its way the snapshot is on nobody knows.
	if before%2 == 0 && db.state.Load() == before {
		tx.state = before
	}
	return tx
}

// tick gives the time, which never goes back. UTC takes the monotonic reading
// off: with it, a wall clock that was set back would still compare as later.
func (db *DB) tick() time.Time {
	now := db.now().UTC()
	db.mu.Lock()
	defer db.mu.Unlock()
	if now.Before(db.last) {
		now = db.last
	}
	db.last = now
	return now
}

// propose hands a batch to the store and links its commit to the chain. An
// empty one has the outcome of the batch before it, which it may have read.
func (db *DB) propose(b *store.Batch) (c, prev *commit) {
	c = &commit{&outcome{durable: make(chan struct{})}, make(chan struct{})}
	db.mu.Lock()
	prev = db.tail
	db.tail = c
	if b.Len() == 0 {
		c.outcome = prev.outcome
	}
	db.mu.Unlock()
	if b.Len() > 0 {
		db.state.Add(1)
		defer db.state.Add(1)
		db.shard.Propose(b, func(_ store.Position, err error) {
			c.err = err
			close(c.durable)
		})
	}
	return c, prev
}

func (tx *Tx) batch() (*store.Batch, error) {
	b := &store.Batch{}
	if len(tx.overlay)+len(tx.wrapped) == 0 {
		return b, nil
	}
	for _, w := range tx.wrapped {
		b.Set(w.key, w.value)
	}
	for key, e := range tx.overlay {
		if e.value == nil {
			b.Delete([]byte(key))
			continue
		}
		box, err := tx.db.platform.SealBox(nil, aad([]byte(key)), e.value)
		if err != nil {
			return nil, err
		}
		b.Set([]byte(key), box)
	}
	now := binary.BigEndian.AppendUint64(nil, uint64(tx.time.UnixNano()))
	box, err := tx.db.platform.SealBox(nil, aad(keyTime), now)
	if err != nil {
		return nil, err
	}
	b.Set(keyTime, box)
	return b, b.Check()
}

// aad binds a value to shard 0 and its key.
func aad(key []byte) []byte { return append([]byte{0, 0}, key...) }
