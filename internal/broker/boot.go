package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"coffer/internal/store"
)

// defaults fills the zero fields.
func (cfg *Config) defaults() {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.At == nil {
		cfg.At = func(at time.Time, fn func()) func() {
			t := time.AfterFunc(time.Until(at), fn)
			return func() { t.Stop() }
		}
	}
	for _, f := range [...]struct {
		field *int64
		value int64
	}{
		{&cfg.WindowBytes, 64 << 20}, {&cfg.PublishBytes, 64 << 20}, {&cfg.OutboxBytes, 64 << 20},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	if cfg.QueueBytes <= 0 {
		cfg.QueueBytes = cfg.WindowBytes / 4
	}
	for _, f := range [...]struct {
		field *int
		value int
	}{
		{&cfg.PageBytes, 1 << 20}, {&cfg.BatchBytes, 1 << 20}, {&cfg.MaxMessage, 16 << 20},
		{&cfg.MaxRequests, 1 << 14}, {&cfg.MaxDedup, 1 << 20},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
}

// Open takes over the shards, deletes what shard 0 does not know, and starts
// the owners. Namespaces are opened one by one after it.
func Open(ctx context.Context, cfg Config) (*Core, error) {
	cfg.defaults()
	if len(cfg.Shards) == 0 || cfg.Control == nil {
		return nil, errors.New("broker: no shards or no control state")
	}
	if cfg.MaxMessage > maxMessage {
		return nil, fmt.Errorf("broker: messages of %d bytes; at most %d",
			cfg.MaxMessage, maxMessage)
	}
	c := &Core{
		cfg: cfg, db: cfg.Control,
		namespaces: map[NamespaceID]*Namespace{}, existing: map[NamespaceID]location{},
		moving: map[NamespaceID]*relocation{}, records: map[queueID]queueRecord{},
	}
	c.carrying, c.dismiss = context.WithCancel(context.Background())
	c.plain.New = func() any { return new([]byte) }
	known, err := c.layout(ctx)
	if err != nil {
		return nil, fmt.Errorf("broker: read queues: %w", err)
	}
	for i, st := range cfg.Shards {
		sh := newShard(c, store.ShardID(i+1), st)
		if err := sh.boot(ctx, known); err != nil {
			return nil, fmt.Errorf("broker: open shard %d: %w", sh.id, err)
		}
		c.shards = append(c.shards, sh)
	}
	c.settle(known)
	if err := c.openCouriers(); err != nil {
		return nil, fmt.Errorf("broker: open outboxes: %w", err)
	}
	for _, sh := range c.shards {
		sh.start()
	}
	c.sweeper.open()
	go c.sweep()
	c.resumeMoves(known)
	return c, nil
}

// boot reads the queue records and deletes what no queue has: transient
// messages, and the queues whose deletion or move was cut short.
func (sh *shard) boot(ctx context.Context, known *layout) (err error) {
	snap := sh.store.Snapshot()
	it := snap.Iter([]byte{byte(classRecord)}, []byte{byte(classRecord) + 1})
	defer func() {
		err = errors.Join(err, it.Close(), snap.Close())
	}()
	b := &store.Batch{}
	b.DeleteRange([]byte{byte(classSpilled)}, []byte{byte(classSpilled) + 1})
	for it.Next() {
		id, err := parseRecordKey(it.Key())
		if err != nil {
			return err
		}
		owns, comes := known.owns(id, sh.id)
		if comes {
			continue // its move goes on
		}
		if !owns {
			b.Delete(it.Key())
			b.DeleteRange(queueRange(classDurable, id))
			b.DeleteRange(queueRange(classDedup, id))
			continue
		}
		plain, err := sh.place.open(nil, it.Key(), it.Value())
		if err != nil {
			return err
		}
		if sh.core.records[id], err = parseQueueRecord(plain); err != nil {
			return fmt.Errorf("%w: queue %x: %w", store.ErrDamaged, uint64(id), err)
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	if err := errors.Join(sh.loadTaken(), sh.dropCursors(b, known, snap)); err != nil {
		return err
	}
	done := make(chan error, 1)
	sh.store.Propose(b, func(_ store.Position, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restore gives a queue the state that its record tells. It is called before
// anything else knows the queue. A queue without a record never had a message.
func (c *Core) restore(q *Queue) error {
	st := &q.state
	c.mu.Lock()
	r, ok := c.records[q.id]
	delete(c.records, q.id)
	c.mu.Unlock()
	if !ok {
		var err error
		if r, ok, err = q.storedRecord(); err != nil {
			return err
		}
	}
	if !ok {
		return q.namespace.shard.mustBeEmpty(q.id)
	}
	st.next = r.next
	for i := range r.lanes {
		rec := &r.lanes[i]
		if rec.priority > q.spec.ranks() {
			return fmt.Errorf("%w: queue %x has messages of priority %d", store.ErrDamaged,
				uint64(q.id), rec.priority)
		}
		l := q.lane(rec.priority)
		l.stock, l.boot, l.wiped = rec.stock, rec.delivered, rec.first
		l.gap = gap{from: rec.first, to: r.next, count: rec.depth, body: rec.body}
		l.gap.bytes = rec.bytes + rec.depth*entryOverhead
		if rec.marks {
			if err := q.namespace.shard.loadMarks(l); err != nil {
				return err
			}
		}
		st.body += l.gap.body
		q.ready.Add(l.gap.count)
		q.tally(rec.depth, rec.body)
	}
	st.delayed.durable, st.delayed.due = r.delayed, r.due
	q.delayed.Add(r.delayed)
	q.tally(r.delayed, 0)
	return q.namespace.shard.loadLeases(q)
}

func (sh *shard) mustBeEmpty(id queueID) error {
	snap := sh.store.Snapshot()
	it := snap.Iter(queueRange(classDurable, id))
	some := it.Next()
	err := errors.Join(it.Err(), it.Close(), snap.Close())
	if err == nil && some {
		return fmt.Errorf("%w: queue %x has messages but no record", store.ErrDamaged, uint64(id))
	}
	return err
}

// Close stops the core. Sessions must be closed before; what they asked for is
// made durable. The store stays open. An error tells that a shard failed
// earlier or ctx ended.
func (c *Core) Close(ctx context.Context) error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return nil
	}
	c.dismiss()
	c.carriers.Wait()
	var errs []error
	if err := c.sweeper.close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("broker: end of the deletion of a queue: %w", err))
	}
	for _, sh := range c.shards {
		done := make(chan reply, 1)
		sh.mail.urgent(request{kind: reqStop, reply: done})
		select {
		case a := <-done:
			errs = append(errs, a.err)
			sh.work.Wait()
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("broker: close shard %d: %w", sh.id, ctx.Err()))
		}
	}
	return errors.Join(errs...)
}

// Stats gives the counts of the moment.
func (c *Core) Stats() Stats {
	var s Stats
	for _, sh := range c.shards {
		k := &sh.counters
		s.Published += k.published.Load()
		s.Unrouted += k.unrouted.Load()
		s.Delivered += k.delivered.Load()
		s.Settled += k.settled.Load()
		s.Released += k.released.Load()
		s.Expired += k.expired.Load()
		s.Dropped += k.dropped.Load()
		s.Limited += k.limited.Load()
		s.Refused += k.refused.Load()
		s.DeadLettered += k.deadLettered.Load()
		s.Lost += k.lost.Load()
		s.Moved += k.moved.Load()
		s.Batches += k.batches.Load()
		s.BatchBytes += k.batchBytes.Load()
		s.Pages += k.pages.Load()
		s.Spilled += k.spilled.Load()
		s.Memory += k.memory.Load()
		s.Waiting += k.waiting.Load()
		s.Requests += sh.mail.length()
		count, bytes := sh.publishing.held()
		s.Publishing += count
		s.Bytes += bytes
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.namespaces {
		n.Topology().Queues(func(q *Queue) bool {
			ready, unacked, consumers := q.Counts()
			s.Queues++
			s.Consumers += int64(consumers)
			s.Ready += ready
			s.Unacked += unacked
			s.Delayed += q.Delayed()
			return true
		})
	}
	return s
}
