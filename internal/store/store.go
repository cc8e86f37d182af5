// Package store is the seam to durable state. Everything that must survive a
// crash goes through it: a shard is an ordered key space with one total order
// of atomic batches of effects (set, delete, delete range), never commands.
//
// Guarantees of every engine, proved by storetest: batches apply in the order
// of Propose, all or nothing; done runs in order, after its batch is durable;
// snapshots do not change; what done reported survives a crash at any point.
// It does not guarantee that an unreported batch is absent after a crash.
package store

import (
	"context"
	"errors"
	"fmt"
)

// ShardID numbers a shard. Shard 0 holds control state, the shards between
// hold queues, the last one holds events without effects.
type ShardID uint16

// Position orders the batches of a shard: Epoch grows with every owner, Index
// with every batch.
type Position struct{ Epoch, Index uint64 }

// Less reports whether p comes before q.
func (p Position) Less(q Position) bool {
	return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Index < q.Index
}

// String gives "epoch.index".
func (p Position) String() string { return fmt.Sprintf("%d.%d", p.Epoch, p.Index) }

// Errors that engines return or pass to done.
var (
	// ErrLost: the batch was certainly not applied; the caller may say so.
	ErrLost = errors.New("store: certainly not applied")
	// ErrUnknown: the batch may yet be applied; the caller must not say either way.
	ErrUnknown = errors.New("store: may yet be applied")
	// ErrClosed: the engine or shard was closed; nothing was taken over.
	ErrClosed = errors.New("store: closed")
	// ErrInUse: another process holds the data directory.
	ErrInUse = errors.New("store: data directory is in use by another process")
	// ErrDamaged: a stored file does not hold what was written.
	ErrDamaged = errors.New("store: damaged")
	// ErrLimit: a key or value exceeds MaxKey, MaxValue or MaxBatch.
	ErrLimit = errors.New("store: over a limit")
	// ErrExists: a key that was inserted has a value. Only the engine in memory looks.
	ErrExists = errors.New("store: the inserted key has a value")
)

// Bounds that every engine accepts and enforces in Propose.
const (
	MaxKey   = 1 << 10  // bytes of a key
	MaxValue = 32 << 20 // bytes of a value
	MaxBatch = 64 << 20 // bytes of keys and values of a batch
)

// Engine owns the shards of one data directory.
type Engine interface {
	// Shards lists the shards in ascending order; the set never changes.
	Shards() []ShardID
	// Open takes ownership of a shard, waiting for it where that takes time.
	// On one machine it is immediate; a second Open of a shard in the same
	// process fences the first owner, whose Lost is closed.
	Open(ctx context.Context, id ShardID) (Shard, error)
	// Close waits for proposed batches, then releases the directory.
	Close() error
}

// A Shard is owned by its opener until Lost is closed. After that everything
// the owner held in memory was speculation.
type Shard interface {
	// Snapshot shows every batch whose Propose has returned, so it may show
	// proposed ones that are not durable yet. Close it: an open one holds
	// compaction back.
	Snapshot() Snapshot
	// Durable is the last durable position. Nothing read above it may leave
	// the process.
	Durable() Position
	// Propose takes b over. Batches apply in the order of the calls; a bounded
	// number (4 unless configured) is in flight and Propose waits at that
	// bound. done runs exactly once, in order, on the store's goroutine; it must
	// neither block nor call the Shard. After the first error every later done
	// gets an error too. done may be nil.
	Propose(b *Batch, done func(Position, error))
	// Lost is closed when this owner was replaced or the engine failed.
	Lost() <-chan struct{}
}

// Snapshot is an unchanging view of a shard, for any number of goroutines.
type Snapshot interface {
	// Get gives the value at key in a slice the caller owns; ok is false when
	// there is none.
	Get(key []byte) (value []byte, ok bool, err error)
	// Iter walks the keys k with lower <= k < upper in ascending order; nil
	// means no bound.
	Iter(lower, upper []byte) Iterator
	// Position is the position of the last batch the snapshot shows.
	Position() Position
	// Close releases the snapshot; its iterators must be closed before.
	Close() error
}

// Iterator walks keys. It stands before the first key after Iter.
type Iterator interface {
	// Next moves to the next key and reports whether there is one. After false,
	// Err tells an end from a failure.
	Next() bool
	// Key and Value are valid until the next call of Next or Close.
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Op is one effect of a batch.
type Op struct {
	Kind       OpKind
	Key, Value []byte // DeleteRange: Key <= k < Value
	Tail       []byte // Set, Insert: the value goes on with it
}

// OpKind is the kind of an effect.
type OpKind uint8

// The kinds of effects.
const (
	OpSet OpKind = iota + 1
	OpDelete
	OpDeleteRange
	OpInsert // a Set of a key without a value
)

// Batch collects effects; a later effect on a key wins. The zero value is
// empty. What it is given is copied into the batch's own memory, but for tails.
type Batch struct {
	ops   []Op
	arena []byte
	size  int
}

// Set stores value at key.
func (b *Batch) Set(key, value []byte) { b.add(OpSet, key, value, nil) }

// SetJoined stores head and, behind it, tail at key. The batch only refers to tail,
// which must not change before Reset.
func (b *Batch) SetJoined(key, head, tail []byte) { b.add(OpSet, key, head, tail) }

// InsertJoined is SetJoined of a key that has no value, which the caller knows; for one
// that has, what is there later is not defined. An engine can forget such a key without
// a trace when it is deleted soon.
func (b *Batch) InsertJoined(key, head, tail []byte) { b.add(OpInsert, key, head, tail) }

// Delete removes key; a missing key is no error.
func (b *Batch) Delete(key []byte) { b.add(OpDelete, key, nil, nil) }

// DeleteRange removes every key k with lower <= k < upper.
func (b *Batch) DeleteRange(lower, upper []byte) { b.add(OpDeleteRange, lower, upper, nil) }

// Ops gives the effects in order; the slices belong to the batch.
func (b *Batch) Ops() []Op { return b.ops }

// Len is the number of effects.
func (b *Batch) Len() int { return len(b.ops) }

// Size is the bytes of keys and values.
func (b *Batch) Size() int { return b.size }

// Reset empties the batch and keeps its memory. The engine must be done with
// it: a proposed batch may be reset when its done has run.
func (b *Batch) Reset() {
	clear(b.ops)
	b.ops, b.arena, b.size = b.ops[:0], b.arena[:0], 0
}

func (b *Batch) add(k OpKind, key, value, tail []byte) {
	n := len(key) + len(value)
	if cap(b.arena)-len(b.arena) < n {
		b.arena = make([]byte, 0, max(n, 2*cap(b.arena), 4096))
	}
	at := len(b.arena)
	b.arena = append(append(b.arena, key...), value...)
	mid := at + len(key)
	b.ops = append(b.ops, Op{k, b.arena[at:mid:mid], b.arena[mid : at+n : at+n], tail})
	b.size += n + len(tail)
}

// Check reports ErrLimit, with the offending size, when b exceeds a bound.
func (b *Batch) Check() error {
	for _, op := range b.ops {
		if len(op.Key) > MaxKey || op.Kind == OpDeleteRange && len(op.Value) > MaxKey {
			return fmt.Errorf("%w: key of %d bytes", ErrLimit, max(len(op.Key), len(op.Value)))
		}
		if n := len(op.Value) + len(op.Tail); n > MaxValue {
			return fmt.Errorf("%w: value of %d bytes", ErrLimit, n)
		}
	}
	if b.size > MaxBatch {
		return fmt.Errorf("%w: batch of %d bytes", ErrLimit, b.size)
	}
	return nil
}
