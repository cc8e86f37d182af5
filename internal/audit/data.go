package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// DataShard is a shard whose owner writes data events into its own batches.
type DataShard struct {
	Shard store.Shard
	ID    store.ShardID
}

// dataShard is one, with the tree over its events.
type dataShard struct {
	DataShard
	tree *Tree
	born bool // the tree's birth is stored or on its way; the owner's

	mu      sync.Mutex
	put     uint64        // batches with events so far
	durable uint64        // of these
	changed chan struct{} // closed when durable grows
}

// openData opens the trees of the shards that have some.
func (l *Log) openData(list []DataShard) error {
	for _, s := range list {
		d := &dataShard{DataShard: s, changed: make(chan struct{})}
		snap := s.Shard.Snapshot()
		var err error
		d.tree, d.born, err = openTree(l.db.Platform, snap, s.ID)
		if err = errors.Join(err, snap.Close()); err != nil {
			return err
		}
		l.data = append(l.data, d)
	}
	return nil
}

// Put adds data events to a batch of a shard that Config.Data names, with their
// index and leaves. Only the owner of the shard calls it, with the batches in the
// order in which it proposes them, and calls durable for each that is, in order.
// After an error it must propose nothing more.
func (l *Log) Put(id store.ShardID, b *store.Batch, events []*Event) (durable func(), err error) {
	for _, d := range l.data {
		if d.ID == id {
			return d.add(l, b, events)
		}
	}
	return nil, fmt.Errorf("no data events in shard %d", id)
}

func (d *dataShard) add(l *Log, b *store.Batch, events []*Event) (func(), error) {
	if !d.born {
		text, err := json.Marshal(&birth{Version: birthVersion, Time: time.Now().UTC()})
		if err != nil {
			return nil, err
		}
		if err := d.tree.set(b, rowKey(control.TableTree, []byte(rowBorn)), text); err != nil {
			return nil, err
		}
		d.born = true
	}
	var leaves []Leaf
	for _, e := range events {
		rows, leaf, err := l.rows(d.ID, e)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			b.Set(r.key, r.value)
		}
		leaves = append(leaves, leaf)
	}
	grown, err := d.tree.Grow(b, leaves)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put++
	return func() { grown(); d.settled() }, nil
}

func (d *dataShard) settled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable++
	close(d.changed)
	d.changed = make(chan struct{})
}

// snapshot shows what the shard holds; wait returns when that is durable.
func (d *dataShard) snapshot() (snap store.Snapshot, wait func(context.Context) error) {
	snap = d.Shard.Snapshot()
	d.mu.Lock()
	shown := d.put // at least all that the snapshot shows
	d.mu.Unlock()
	return snap, func(ctx context.Context) error {
		for {
			d.mu.Lock()
			changed, over := d.changed, d.durable >= shown
			d.mu.Unlock()
			if over {
				return nil
			}
			select {
			case <-changed:
			case <-d.Shard.Lost():
				return store.ErrLost
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// CheckData is [Check] of the events in a queue shard; its other rows are passed over.
func CheckData(
	ctx context.Context, state *control.Inspection, snap store.Snapshot, id store.ShardID,
	damaged func(row string, err error),
) (rows int64, err error) {
	c := &check{state: state, snap: snap, id: id, damaged: damaged}
	return c.run(ctx, []byte{firstTable}, []byte{firstTable + tables})
}

// The tables of the audit trail in any shard.
const (
	firstTable = byte(control.TableEvent)
	tables     = 8
)
