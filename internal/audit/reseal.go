package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Bounds of a slice of a shard that is sealed anew in one batch.
const (
	resealRows  = 512
	resealBytes = 1 << 20
)

// Reseal seals anew what the trail has in the last shard, and of events in the queue shards,
// under platform keys that were replaced before the call. A row that does not open is
// left, and the error at the end then is [store.ErrDamaged]; without an error nothing
// older is stored, and nothing older comes any more. Leaves are over the texts of events, so
// trees and heads stay as they are. One call at a time.
//
// Events and leaves are written once. In the last shard all that entered a group before is
// stored when the group is that was open after the replacement; what enters later is
// sealed anew if it is stale then. In the queue shards their owners write them, who must
// have cut their batches since the replacement: broker.Core.Reseal does, which also sees to
// the edges and births of those trees.
func (l *Log) Reseal(ctx context.Context, rest control.Rest) (n int, err error) {
	if err := l.cut(ctx); err != nil {
		return 0, err
	}
	list := []DataShard{{l.shard, l.id}}
	for _, d := range l.data {
		list = append(list, d.DataShard)
	}
	var damaged error
	for _, s := range list {
		for _, span := range l.resealSpans(s.ID) {
			for from := span[0]; from != nil; {
				if err := rest(ctx, s.ID, n); err != nil {
					return n, err
				}
				var more int
				var bad error
				from, more, bad, err = l.resealBatch(ctx, s, from, span[1])
				n, damaged = n+more, errors.Join(damaged, bad)
				if err != nil {
					return n, fmt.Errorf("seal events of shard %d anew: %w", s.ID, err)
				}
			}
		}
	}
	return n, damaged
}

// resealSpans are the keys of rows that are written once, but for deletions.
func (l *Log) resealSpans(id store.ShardID) [][2][]byte {
	span := func(t control.Table) [2][]byte { return [2][]byte{{byte(t)}, {byte(t) + 1}} }
	spans := [][2][]byte{span(control.TableEvent), span(control.TableLeaf)}
	if id == l.id {
		born := rowKey(control.TableTree, []byte(rowBorn))
		spans = append(spans, [2][]byte{born, append(bytes.Clone(born), 0)})
	}
	return spans
}

// cut writes the edge of the last shard's tree once more, behind all that waits, and
// returns when that is durable.
func (l *Log) cut(ctx context.Context) error {
	l.mu.Lock()
	g, closed := l.waiting, l.closed
	g.cut = true
	l.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	select {
	case l.kick <- struct{}{}:
	default: // the background work will look anyway
	}
	select {
	case <-g.durable:
		return g.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resealBatch seals the rows of a slice anew and gives where the next one begins, how many
// there were, and one that does not open.
func (l *Log) resealBatch(ctx context.Context, s DataShard, from, to []byte) (
	next []byte, n int, damaged, err error,
) {
	b := &store.Batch{}
	done := make(chan error, 1)
	// An event that expires meanwhile must not come back.
	l.rewriting.Lock()
	next, damaged, err = l.stale(b, s, from, to)
	if err != nil || b.Len() == 0 {
		l.rewriting.Unlock()
		return next, 0, damaged, err
	}
	s.Shard.Propose(b, func(_ store.Position, err error) { done <- err })
	l.rewriting.Unlock()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return next, b.Len(), damaged, err
}

// stale puts the rows of a slice that are stale into a batch, sealed anew.
func (l *Log) stale(b *store.Batch, s DataShard, from, to []byte) (
	next []byte, damaged, err error,
) {
	snap := s.Shard.Snapshot()
	it := snap.Iter(from, to)
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	platform := l.db.Platform()
	for rows, size := 0, 0; it.Next(); rows++ {
		if rows == resealRows || size > resealBytes {
			return bytes.Clone(it.Key()), damaged, nil
		}
		size += len(it.Value())
		if !platform.Stale(it.Value()) {
			continue
		}
		box, err := platform.Renew(boxAAD(s.ID, it.Key()), it.Value())
		if err != nil {
			damaged = fmt.Errorf("%w: %s: %w", store.ErrDamaged, rowName(it.Key()), err)
			continue
		}
		b.Set(it.Key(), box)
	}
	return nil, damaged, it.Err()
}

// renew seals rows anew that are stale: between their sealing and their batch the platform
// key was replaced.
func (l *Log) renew(rows []row) error {
	platform := l.db.Platform()
	for i := range rows {
		r := &rows[i]
		if !platform.Stale(r.value) {
			continue
		}
		box, err := platform.Renew(boxAAD(l.id, r.key), r.value)
		if err != nil {
			return fmt.Errorf("seal %s anew: %w", rowName(r.key), err)
		}
		r.value = box
	}
	return nil
}
