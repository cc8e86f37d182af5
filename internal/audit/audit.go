// Package audit keeps the trail: who asked for what, when, and whether it was
// allowed. An event with effects is written in the same batch as they are, in
// shard 0; an event without (a read, a denial) goes to the last shard, and its
// caller waits until it is durable.
//
// Guarantees: an answered call has a durable event; events are sealed and bound
// to their place; they are found by account, Region, time and attribute, newest
// first, without a scan of others' events. It decides nothing and redacts
// nothing: who builds an event leaves secrets out.
package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Bounds.
const (
	maxEvent   = 256 << 10 // bytes of one event's JSON
	maxWaiting = 1024      // events gathered into one batch of the last shard
)

// Log is the trail of one data directory. It is safe for concurrent use.
type Log struct {
	db    *control.DB
	shard store.Shard
	id    store.ShardID

	mu      sync.Mutex
	waiting *group // events for the next batch; nil when closed
	seq     uint64 // of the last shard
	kick    chan struct{}
	stopped chan struct{}
}

// group is events that travel in one batch.
type group struct {
	batch   store.Batch
	count   int
	durable chan struct{} // closed when err is set
	err     error
}

func newGroup() *group { return &group{durable: make(chan struct{})} }

// Open starts the trail over shard 0, behind db, and the last shard, which it
// owns from now on. Close ends it.
func Open(db *control.DB, shard store.Shard, id store.ShardID) *Log {
	l := &Log{
		db: db, shard: shard, id: id, waiting: newGroup(),
		// A start number above the count keeps sequences unique over restarts.
		seq:  uint64(db.StartNumber()) << 32,
		kick: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go l.flush()
	return l
}

// Close writes what waits and ends the background work.
func (l *Log) Close() {
	l.mu.Lock()
	last := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	if last != nil {
		close(l.kick)
		<-l.stopped
		l.propose(last)
		<-last.durable
	}
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
	tx.Put(control.TableEvent, append(l.scope(e.RecipientAccountID, e.AWSRegion), at...), body)
	for _, mac := range l.index(e) {
		tx.Put(control.TableEventIndex, append(mac, at...), nil)
	}
	return nil
}

// Record writes an event without effects and returns when it is durable.
func (l *Log) Record(ctx context.Context, e *Event) error {
	body, err := encode(e)
	if err != nil {
		return err
	}
	g, err := l.enter(e, body)
	if err != nil {
		return fmt.Errorf("record event %s: %w", e.EventName, err)
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
	select {
	case <-g.durable:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) enter(e *Event, body []byte) (*group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.waiting
	if g == nil {
		return nil, store.ErrClosed
	}
	if g.count >= maxWaiting {
		return nil, errors.New("audit: too many events at once")
	}
	l.seq++
	at := place(e.EventTime, l.seq)
	key := rowKey(control.TableEvent, append(l.scope(e.RecipientAccountID, e.AWSRegion), at...))
	box, err := l.db.Platform().SealBox(nil, l.aad(key), body)
	if err != nil {
		return nil, err
	}
	g.batch.Set(key, box)
	for _, mac := range l.index(e) {
		g.batch.Set(rowKey(control.TableEventIndex, append(mac, at...)), nil)
	}
	g.count++
	return g, nil
}

func (l *Log) flush() {
	defer close(l.stopped)
	for range l.kick {
		l.mu.Lock()
		g := l.waiting
		if g != nil && g.count > 0 {
			l.waiting = newGroup()
		}
		l.mu.Unlock()
		if g != nil && g.count > 0 {
			l.propose(g)
		}
	}
}

func (l *Log) propose(g *group) {
	if g.count == 0 {
		close(g.durable)
		return
	}
	l.shard.Propose(&g.batch, func(_ store.Position, err error) {
		g.err = err
		close(g.durable)
	})
}

func encode(e *Event) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.EventName, err)
	}
	if len(body) > maxEvent {
		return nil, fmt.Errorf("event %s of %d bytes, at most %d", e.EventName, len(body), maxEvent)
	}
	return body, nil
}

// place orders events newest first: both numbers are inverted.
func place(t time.Time, seq uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, ^uint64(t.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, ^seq)
}

func (l *Log) scope(account, region string) []byte {
	return l.db.MAC("event", account, region)
}

func (l *Log) attribute(account, region, name, value string) []byte {
	return l.db.MAC("event-attribute", account, region, name, value)
}

// index gives the digest of every attribute of e once.
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

func (l *Log) aad(key []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(l.id)), key...)
}
