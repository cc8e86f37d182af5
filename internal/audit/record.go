package audit

import (
	"context"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Bounds of one batch of the last shard.
const (
	groupCount = 1024    // events
	groupBytes = 4 << 20 // bytes; one event may be larger
)

// group is events that travel in one batch.
type group struct {
	batch   store.Batch
	count   int
	leaves  []Leaf        // of its events
	cut     bool          // the tree's edge is to be written in any case
	taken   chan struct{} // closed when the group takes no more events
	durable chan struct{} // closed when err is set
	err     error
}

func newGroup() *group {
	return &group{taken: make(chan struct{}), durable: make(chan struct{})}
}

// row is an effect of the last shard.
type row struct{ key, value []byte }

// Record writes an event without effects and returns when it is durable. When
// many wait it waits for room. An error of ctx leaves open whether the event was
// written; after Close the error is [store.ErrClosed].
func (l *Log) Record(ctx context.Context, e *Event) error {
	rows, leaf, err := l.rows(l.id, e)
	if err != nil {
		return err
	}
	g, err := l.enter(ctx, rows, leaf)
	if err != nil {
		return fmt.Errorf("record event %s: %w", e.EventName, err)
	}
	select {
	case l.kick <- struct{}{}:
	default: // the background work will look anyway
	}
	select {
	case <-g.durable:
		if g.err != nil {
			return fmt.Errorf("record event %s: %w", e.EventName, g.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("record event %s: %w", e.EventName, context.Cause(ctx))
	}
}

// rows seals an event at its place in a shard but shard 0, lists its index and gives
// its leaf.
func (l *Log) rows(id store.ShardID, e *Event) ([]row, Leaf, error) {
	body, err := encode(e)
	if err != nil {
		return nil, Leaf{}, err
	}
	at := place(e.EventTime, l.seq.Add(1))
	key := rowKey(control.TableEvent, append(l.scope(e.RecipientAccountID, e.AWSRegion), at...))
	box, err := l.db.Platform().SealBox(nil, boxAAD(id, key), body)
	if err != nil {
		return nil, Leaf{}, fmt.Errorf("seal event %s: %w", e.EventName, err)
	}
	rows := []row{{key, box}}
	for _, mac := range l.index(e) {
		rows = append(rows, row{key: rowKey(control.TableEventIndex, append(mac, at...))})
	}
	return rows, NewLeaf(key, body), nil
}

// enter adds rows to the next batch, waiting for one that has room.
func (l *Log) enter(ctx context.Context, rows []row, leaf Leaf) (*group, error) {
	size := 0
	for _, r := range rows {
		size += len(r.key) + len(r.value)
	}
	for {
		l.mu.Lock()
		g := l.waiting
		if l.closed {
			l.mu.Unlock()
			return nil, store.ErrClosed
		}
		if g.count == 0 || g.count < l.maxCount && g.batch.Size()+size <= l.maxBytes {
			if err := l.renew(rows); err != nil {
				l.mu.Unlock()
				return nil, err
			}
			for _, r := range rows {
				g.batch.Set(r.key, r.value)
			}
			g.count++
			g.leaves = append(g.leaves, leaf)
			l.mu.Unlock()
			return g, nil
		}
		l.mu.Unlock()
		select {
		case <-g.taken:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// flush proposes what gathers while the store takes the batch before it, until
// Close.
func (l *Log) flush() {
	defer close(l.stopped)
	for {
		select {
		case <-l.kick:
			l.propose()
		case <-l.closing: // nothing enters any more
			l.propose()
			return
		}
	}
}

func (l *Log) propose() {
	l.mu.Lock()
	g := l.waiting
	if g.count == 0 && !g.cut {
		l.mu.Unlock()
		return
	}
	l.waiting, l.tail = newGroup(), g
	close(g.taken)
	l.mu.Unlock()
	grown, err := l.tree.Grow(&g.batch, g.leaves)
	if err == nil && g.cut {
		err = l.tree.renew(&g.batch)
	}
	if err != nil { // the platform key is gone: the process ends
		g.err = err
		close(g.durable)
		return
	}
	l.shard.Propose(&g.batch, func(_ store.Position, err error) {
		if g.err = err; err == nil {
			grown()
		}
		close(g.durable)
	})
}
