// Package audit keeps the trail: who asked for what, when, and whether it was
// allowed. An event with effects is written in the same batch as they are, in
// shard 0; an event without (a read, a denial) goes to the last shard, and its
// caller waits until it is durable.
//
// Guarantees: an answered call has a durable event; events are sealed and bound
// to their place; they are found by account, Region, time and attribute, newest
// first, without a scan of others' events. It decides nothing and redacts
// nothing: who builds an event leaves secrets out.
//
// Each shard's events are the leaves of a Merkle tree, in the order in which they
// became durable; once a second, while events come, one signed head says how far
// the trees have grown. Verify shows by them that nothing was changed, removed or
// put back, and where if it was. What who holds the platform key changes, and an
// old copy as a whole, only heads show that are kept elsewhere.
package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// maxEvent bounds the JSON of one event, in bytes.
const maxEvent = 256 << 10

// Log is the trail of one data directory. It is safe for concurrent use.
type Log struct {
	db    *control.DB
	shard store.Shard
	id    store.ShardID
	seq   atomic.Uint64 // of the last shard
	tree  *Tree         // of the last shard
	heads *heads        // nil = none are made
	data  []*dataShard

	maxCount, maxBytes int // bounds of a group

	kick    chan struct{} // holds a token when an event waits
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the background work ended

	// rewriting is held from a snapshot until what is deleted or sealed anew by it is proposed.
	rewriting sync.Mutex

	end     sync.Once // of the heads
	mu      sync.Mutex
	closed  bool
	waiting *group // events for the next batch
	tail    *group // the last one that was proposed, or nil
}

// Config tunes a Log; the zero value is the default.
type Config struct {
	Heads *HeadConfig // nil: no heads are signed
	Data  []DataShard // whose owners call Put; always the same ones, in one order
}

// Open starts the trail over shard 0, behind db, and the last shard, which it
// owns from now on. Events that are there and in no tree become the first leaves.
// Close ends it.
func Open(
	ctx context.Context, db *control.DB, shard store.Shard, id store.ShardID, cfg Config,
) (*Log, error) {
	l := &Log{
		db: db, shard: shard, id: id, waiting: newGroup(),
		maxCount: groupCount, maxBytes: groupBytes,
		kick: make(chan struct{}, 1), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	// A start number above the count keeps sequences unique over restarts.
	l.seq.Store(uint64(db.StartNumber()) << 32)
	if err := l.plant(ctx); err != nil {
		return nil, fmt.Errorf("open the audit trail: %w", err)
	}
	if err := l.openData(cfg.Data); err != nil {
		return nil, fmt.Errorf("open the audit trail: %w", err)
	}
	if cfg.Heads != nil {
		var err error
		if l.heads, err = newHeads(ctx, l, *cfg.Heads); err != nil {
			return nil, fmt.Errorf("open the audit trail: %w", err)
		}
	}
	go l.flush()
	return l, nil
}

// plant makes the trees that are missing, and opens that of the last shard.
func (l *Log) plant(ctx context.Context) error {
	now := time.Now()
	if err := plant(&basePlot{ctx, l.db}, 0, now); err != nil {
		return err
	}
	far := &farPlot{ctx, l.shard, &Tree{id: l.id, sealer: l.db.Platform}}
	if err := plant(far, l.id, now); err != nil {
		return err
	}
	snap := l.shard.Snapshot()
	var err error
	l.tree, _, err = openTree(l.db.Platform, snap, l.id)
	return errors.Join(err, snap.Close())
}

// Close writes what waits, ends the background work and waits until all is
// durable or failed. Record refuses meanwhile and afterwards. It is idempotent.
func (l *Log) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	l.mu.Unlock()
	<-l.stopped
	l.mu.Lock()
	tail := l.tail
	l.mu.Unlock()
	if tail != nil {
		<-tail.durable
	}
	l.end.Do(func() {
		if l.heads != nil {
			l.heads.close()
		}
	})
}

// Append adds an event with effects to the unit of work.
func (l *Log) Append(tx *control.Tx, e *Event) error {
	body, err := encode(e)
	if err != nil {
		return err
	}
	seq, err := tx.Next(control.TableEventMeta, []byte("sequence"))
	if err != nil {
		return err
	}
	at := place(e.EventTime, seq)
	id := append(l.scope(e.RecipientAccountID, e.AWSRegion), at...)
	tx.Put(control.TableEvent, id, body)
	for _, mac := range l.index(e) {
		tx.Put(control.TableEventIndex, append(mac, at...), nil)
	}
	return growEffects(tx, NewLeaf(rowKey(control.TableEvent, id), body))
}

func encode(e *Event) ([]byte, error) {
	if e.EventTime.Unix() < 0 {
		return nil, fmt.Errorf("event %s has no time", e.EventName)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.EventName, err)
	}
	if len(body) > maxEvent {
		return nil, fmt.Errorf("event %s of %d bytes, at most %d", e.EventName, len(body), maxEvent)
	}
	return body, nil
}

// placeSize is the bytes of an event's place.
const placeSize = 16

// place orders events newest first: both numbers are inverted.
func place(t time.Time, seq uint64) []byte {
	b := make([]byte, 0, placeSize)
	b = binary.BigEndian.AppendUint64(b, ^uint64(t.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, ^seq)
}

func (l *Log) scope(account, region string) []byte {
	return l.db.MAC("event", account, region)
}

func (l *Log) attribute(account, region, name, value string) []byte {
	return l.db.MAC("event-attribute", account, region, name, value)
}

// index gives the digest of every attribute of e.
func (l *Log) index(e *Event) [][]byte {
	var list [][]byte
	for _, a := range e.attributes() {
		if a[1] != "" {
			list = append(list, l.attribute(e.RecipientAccountID, e.AWSRegion, a[0], a[1]))
		}
	}
	return list
}

func rowKey(t control.Table, id []byte) []byte { return append([]byte{byte(t)}, id...) }
