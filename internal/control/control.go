// Package control is the unit of work over shard 0, where Coffer's control
// state lives: accounts, keys, grants, brokers, users, topology. A unit of work
// reads, collects effects and hooks, and commits all effects as one durable
// batch or none. Units that write take turns; units that read run beside them.
//
// Guarantees: what Update or View returns rests on durable state only; effects
// of one unit are atomic; hooks run once, in the order of the commits, after
// the batch is durable; values are sealed under the platform key and bound to
// their place; time never goes backwards. It knows no service and no protocol.
package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// ErrRootKey: the root key does not open this store. Nothing was changed.
var ErrRootKey = errors.New("control: the root key does not open this data directory")

// Config tunes a DB; the zero value is the default.
type Config struct {
	Now func() time.Time // the clock; default time.Now
}

// DB is the control state of one data directory.
type DB struct {
	shard    store.Shard
	now      func() time.Time
	start    uint32
	platform *seal.Epochs
	macKey   seal.Secret

	turn sync.Mutex // held by a writer from its first read to its Propose
	last time.Time  // newest time given out; guarded by turn

	mu   sync.Mutex
	tail *commit // the last proposed batch; guarded by mu
}

// commit is one proposed batch. Commits form a chain: hooks run in its order.
type commit struct {
	durable chan struct{} // closed when the batch is durable or failed
	err     error         // set before durable is closed
	hooked  chan struct{} // closed when the hooks of this and all earlier ones ran
}

// Open reads the platform key with rootKey, or makes one in an empty shard, and
// begins a new start number, durable before it returns. The DB uses the shard
// alone until the process ends.
func Open(ctx context.Context, shard store.Shard, rootKey []byte, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	done := &commit{durable: make(chan struct{}), hooked: make(chan struct{})}
	close(done.durable)
	close(done.hooked)
	db := &DB{shard: shard, now: cfg.Now, tail: done}
	secret, err := db.boot(ctx, rootKey)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	if db.platform, err = seal.NewEpochs(secret, "platform", db.start); err != nil {
		return nil, err
	}
	db.macKey = append(seal.Secret{}, secret...)
	return db, db.loadTime()
}

// Platform seals values that must open without any customer key. The shards of
// the broker use it for envelopes and records of their own.
func (db *DB) Platform() *seal.Epochs { return db.platform }

// StartNumber counts the starts of this data directory, from 1.
func (db *DB) StartNumber() uint32 { return db.start }

// MAC gives 16 bytes that stand for the parts in a store key without showing
// them; label keeps uses apart.
func (db *DB) MAC(label string, parts ...string) []byte {
	m, err := seal.MAC(db.macKey, label, parts...)
	if err != nil {
		panic(err) // the key's length was checked in Open
	}
	return m
}

// Update runs fn in a unit of work that may write, commits its effects and
// returns when they are durable and the hooks ran. An error of fn drops the
// effects. Within another unit (ctx carries one) fn joins it: its effects are
// kept if it succeeds and dropped alone if it fails.
func (db *DB) Update(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx := From(ctx); tx != nil {
		return tx.join(ctx, fn)
	}
	db.turn.Lock()
	tx := db.begin(true)
	err := fn(context.WithValue(ctx, txKey{}, tx), tx)
	if err == nil {
		err = tx.err
	}
	var b *store.Batch
	if err == nil {
		b, err = tx.batch()
	}
	if err != nil {
		db.turn.Unlock()
		tx.close()
		tx.abandon()
		return err
	}
	c, prev := db.propose(b)
	db.turn.Unlock()
	tx.close()
	<-c.durable
	<-prev.hooked
	defer close(c.hooked)
	if c.err != nil {
		tx.abandon()
		return fmt.Errorf("commit: %w", c.err)
	}
	for _, h := range tx.after {
		h()
	}
	return nil
}

// View runs fn in a unit of work that only reads, beside others, and returns
// when all it read is durable. Within another unit it reads that one's view.
func (db *DB) View(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx := From(ctx); tx != nil {
		return fn(ctx, tx)
	}
	tx := db.begin(false)
	db.mu.Lock()
	tail := db.tail
	db.mu.Unlock()
	err := fn(context.WithValue(ctx, txKey{}, tx), tx)
	tx.close()
	if err == nil {
		err = tx.err
	}
	<-tail.durable
	if tail.err != nil && err == nil {
		err = fmt.Errorf("read: %w", tail.err)
	}
	return err
}

func (db *DB) begin(writable bool) *Tx {
	tx := &Tx{db: db, snap: db.shard.Snapshot(), writable: writable, overlay: map[string]effect{}}
	now := db.now().UTC()
	if writable {
		if now.Before(db.last) {
			now = db.last
		}
		db.last = now
	}
	tx.time = now
	return tx
}

// propose hands a batch to the store and links its commit to the chain. An
// empty one commits with the batch before it.
func (db *DB) propose(b *store.Batch) (c, prev *commit) {
	c = &commit{durable: make(chan struct{}), hooked: make(chan struct{})}
	db.mu.Lock()
	prev = db.tail
	db.tail = c
	db.mu.Unlock()
	if b.Len() == 0 {
		go func() {
			<-prev.durable
			c.err = prev.err
			close(c.durable)
		}()
		return c, prev
	}
	db.shard.Propose(b, func(_ store.Position, err error) {
		c.err = err
		close(c.durable)
	})
	return c, prev
}

func (tx *Tx) batch() (*store.Batch, error) {
	b := &store.Batch{}
	if len(tx.overlay) == 0 {
		return b, nil
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
	b.Set(keyTime, binary.BigEndian.AppendUint64(nil, uint64(tx.time.UnixNano())))
	return b, b.Check()
}

// aad binds a value to shard 0 and its key.
func aad(key []byte) []byte { return append([]byte{0, 0}, key...) }
