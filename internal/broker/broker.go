// Package broker is the queue core under every messaging protocol: messages,
// queues, consumers with credit, settlements, and the topology that maps a
// publish to queues. DESIGN.md beside this file tells how it works.
//
// Guarantees: a durable message in a durable queue is confirmed and delivered
// only when it is on disk; nothing confirmed is lost and nothing whose
// settlement was durable comes back; a queue keeps the order of publishing, and
// what is released goes back to its place, marked redelivered; memory is bounded
// whatever the length of queues; nothing readable is stored.
//
// It does not know protocols, names of virtual hosts, users or AWS, compares no
// arguments of declarations, and opens no message: that is for the doors, on
// their own goroutines.
package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// MaxName bounds names of queues and addresses, and routing keys, in bytes.
const MaxName = 4 << 10

// Errors that say which rule of exclusivity was broken.
var (
	// ErrLocked: the queue is exclusive to another session. It comes with
	// fault.Conflict.
	ErrLocked = errors.New("broker: queue is exclusive to another session")
	// ErrAttempt: a receive cannot be made again, because some of its messages were
	// extended, settled or released since. It comes with fault.Conflict.
	ErrAttempt = errors.New("broker: messages of the receive were changed")
	// ErrExclusive: a consumer has, or wanted, the queue for itself. It comes with
	// fault.Denied.
	ErrExclusive = errors.New("broker: queue has an exclusive consumer or others")
	// ErrClosed: the session or the core was closed. It comes with
	// fault.Unavailable.
	ErrClosed = errors.New("broker: closed")
)

// Config tunes a Core. Zero fields but the first two get the default named.
type Config struct {
	// Shards are the queue shards, number 1 and up, in order. Their number must
	// never shrink: what is stored is bound to the shard's number.
	Shards  []store.Shard
	Control *control.DB

	Logger *slog.Logger     // default slog.Default
	Now    func() time.Time // default time.Now
	// At calls fn once Now has come to a time, unless stop is called before;
	// default with time.AfterFunc. fn never blocks.
	At func(at time.Time, fn func()) (stop func())

	// Room is nil, or gives the reason why new messages must be refused now, of
	// kind fault.Exhausted; default: there always is room. Every Seal asks it.
	Room func() error

	// Lead gives what leads a dead message with these deaths beside its keys; of a large
	// one Body is the beginning. It and the Guide are called on the shard's owner: they
	// must be quick, not block nor call the broker, and keep nothing. Default: nothing.
	Lead func(Content, *History) Guide

	// Recorder keeps a record of what sessions do to messages; nil: nobody does.
	Recorder Recorder

	// Confirmed is told, batch by batch, how many durable messages may be confirmed by
	// it, and how long the one that waited longest has waited for that, from when it was
	// handed to the owner of its shard. It must not block; nil: nobody is told.
	Confirmed func(messages int, waited time.Duration)

	// WindowBytes bounds the messages in memory of one shard; 64 MiB. A queue
	// that is being consumed may always have one page (PageBytes) above it.
	WindowBytes int64
	QueueBytes  int64 // the same of one queue, and of parts beside; a quarter of WindowBytes
	PageBytes   int   // read from the store at once; 1 MiB
	BatchBytes  int   // size at which a batch is closed; 1 MiB
	MaxMessage  int   // bytes of a message's plaintext; 16 MiB, at most 129 MiB
	MaxRequests int   // requests waiting for a shard's owner; 16384
	// MaxDedup bounds the deduplication ids that a shard keeps; 1048576, which need
	// about 128 MiB. At it publishes with new ones are refused.
	MaxDedup int
	// PublishBytes bounds the messages of one shard that were published and are
	// not yet durable; 64 MiB. Publish waits there.
	PublishBytes int64
	// OutboxBytes bounds the messages of one shard that wait in outboxes; 64 MiB.
	// A session may always have 64 KiB.
	OutboxBytes int64
}

// Core holds the queue shards of one process.
type Core struct {
	cfg    Config
	db     *control.DB
	shards []*shard
	plain  sync.Pool // *[]byte, scratch for plaintexts

	selections atomic.Uint32 // calls of Reselect
	selection  atomic.Uint32 // the last that selected something; 0: nothing is

	sweeper  sweeper
	carriers sync.WaitGroup  // couriers and moves
	carrying context.Context // ends when they must
	dismiss  context.CancelFunc

	opening    sync.Mutex // one OpenNamespace at a time
	mu         sync.Mutex
	namespaces map[NamespaceID]*Namespace
	existing   map[NamespaceID]location // open or not
	moving     map[NamespaceID]*relocation
	records    map[queueID]queueRecord // of queues that are not open yet
	temporary  uint32                  // temporary queues so far in this start
	closed     bool
}

// Stats is what a Core counts, for metrics. Counters grow from its Open.
type Stats struct {
	Published int64 // messages taken over
	Unrouted  int64 // of these, without a queue
	Delivered int64
	Settled   int64 // accepted or rejected
	Released  int64 // back to their place

	Expired      int64 // removed because their time was over
	Dropped      int64 // removed because a queue had too many
	Limited      int64 // removed because they were released too often
	Refused      int64 // not taken by a full queue; each queue counts
	DeadLettered int64 // of all these and the rejected, sent to a dead letter address

	Moved      int64 // by MoveMessages
	Lost       int64 // dropped between shards: where they went to was gone
	Batches    int64 // durable ones
	BatchBytes int64 // in them
	Pages      int64 // reads by the readers
	Spilled    int64 // transient messages written for want of memory
	Ready      int64 // messages that wait now
	Unacked    int64 // messages in flight now
	Delayed    int64 // messages that are kept out of delivery now
	Memory     int64 // bytes of messages in windows now

	Queues     int64 // that are open
	Consumers  int64
	Requests   int64 // that wait for the owners of shards
	Publishing int64 // messages on their way to the store
	Bytes      int64 // of them
	Waiting    int64 // publishers that wait until there is room for more
}
