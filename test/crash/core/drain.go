package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Bounds of a drain.
const (
	drainWindow = 300
	drainLease  = 400         // milliseconds
	patience    = time.Minute // without progress
)

// drain empties the durable queues side by side, then those of dead letters,
// and deletes them all, which proves that the broker thinks them empty, too.
func (c *child) drain(ctx context.Context) error {
	var alive, graves []*Queue
	for _, q := range c.plan.Queues {
		there, ok := c.in(q).Topology().Queue(q.Name)
		switch {
		case ok && !q.Spec.Durable:
			c.journal.found("%s is there after a restart", q.Name)
		case !ok:
			continue // the rules tell whether it may be
		case q.DeadOf != "":
			graves = append(graves, q)
		default:
			alive = append(alive, q)
		}
		c.queues[q.Name] = there
	}
	if err := c.repeatAll(ctx); err != nil {
		return err
	}
	if err := c.settled(); err != nil {
		return err
	}
	for _, list := range [][]*Queue{alive, graves} {
		if err := errors.Join(c.drainAll(ctx, list), c.settled()); err != nil {
			return err
		}
	}
	for _, q := range append(alive, graves...) {
		_, err := c.in(q).DeleteQueue(ctx, c.queue(q), false, true)
		if fault.KindOf(err) == fault.Conflict {
			c.journal.found("%s has messages again", q.Name)
		} else if err != nil {
			return fmt.Errorf("delete %s: %w", q.Name, err)
		}
	}
	return nil
}

// repeatAll sends all deduplication ids once more: those that were confirmed must
// be known.
func (c *child) repeatAll(ctx context.Context) error {
	q := c.plan.queue("once")
	if c.queue(q) == nil {
		return nil
	}
	p := c.newSender(c.here)
	for n := range deduped {
		f := c.repeat(n)
		f.To = []string{q.Name}
		pub, err := p.prepare(f, 0)
		if err != nil {
			return err
		}
		if err := p.Publish(ctx, []broker.Publishing{pub}); err != nil {
			return err
		}
	}
	return errors.Join(p.settleUp(), p.Close(ctx))
}

// The rows of messages on their way to another shard, as doc/format/broker.md has
// them.
const parcels = 0x28

// settled waits until nothing is on its way between shards.
func (c *child) settled() error {
	last := time.Now()
	for _, s := range c.shards {
		for {
			snap := s.Snapshot()
			it := snap.Iter([]byte{parcels}, []byte{parcels + 1})
			more := it.Next()
			if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
				return err
			}
			if !more {
				break
			}
			if time.Since(last) > patience {
				c.journal.found("messages stay on their way to another shard")
				return nil
			}
			c.pause(1)
		}
	}
	return nil
}

func (c *child) drainAll(ctx context.Context, list []*Queue) error {
	var work sync.WaitGroup
	errs := make([]error, len(list))
	for i, q := range list {
		work.Go(func() {
			x := &consumer{
				client: c.client(c.in(q)), answer: map[uint64]map[Kind][]ID{},
				habit: habit{queue: q, every: drainWindow / 3},
			}
			pull := map[Pull]func(context.Context) error{
				Pushed: x.drainPushed, Taken: x.drainTaken, Leased: x.drainLeased,
			}[q.Pull]
			if err := errors.Join(pull(ctx), x.Close(ctx)); err != nil {
				errs[i] = fmt.Errorf("drain %s: %w", q.Name, err)
				return
			}
			c.journal.note(Record{Kind: Empty, Queue: q.Name})
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// left gives the messages of the queue, whoever has them.
func (x *consumer) left() int64 {
	q := x.child.queue(x.queue)
	ready, unacked, _ := q.Counts()
	return ready + unacked + q.Delayed()
}

// patient runs step until the queue is empty; step reports progress.
func (x *consumer) patient(step func() (bool, error)) error {
	last := time.Now()
	for {
		progress, err := step()
		if err != nil {
			return err
		}
		switch {
		case progress:
			last = time.Now()
		case x.left() == 0:
			// They may have been counted on their way from one number to another.
			x.tag++
			x.answer[x.tag] = nil
			x.Sync(x.tag)
			if err := x.settled(); err != nil || len(x.held) == 0 && x.left() == 0 {
				return err
			}
		case time.Since(last) > patience:
			q := x.child.queue(x.queue)
			ready, unacked, _ := q.Counts()
			x.child.journal.found("%s: %d ready, %d unacked and %d delayed do not come",
				x.queue.Name, ready, unacked, q.Delayed())
			return nil
		default:
			x.child.pause(1)
		}
	}
}

// drainPushed has one consumer take all.
func (x *consumer) drainPushed(ctx context.Context) error {
	j, name := x.child.journal, x.queue.Name
	x.taker = j.newTaker()
	x.asked = j.note(Record{Kind: Asking, Queue: name, Taker: x.taker, N: drainWindow})
	x.drains = true
	c, err := x.Consume(ctx, broker.ConsumerSpec{
		Queue: x.child.queue(x.queue), Credit: drainWindow, Replenish: true,
	})
	if err != nil {
		return err
	}
	err = x.patient(func() (bool, error) {
		before := x.count
		if err := x.handle(append([]broker.Event(nil), x.Next(nil)...)); err != nil {
			return false, err
		}
		if x.count == before && len(x.held) > 0 {
			x.settle()
			return true, x.settled()
		}
		return x.count > before, nil
	})
	return errors.Join(err, x.Cancel(ctx, c))
}

// drainTaken asks for one message after the other.
func (x *consumer) drainTaken(ctx context.Context) error {
	x.drains = true
	return x.patient(func() (bool, error) {
		held := len(x.held)
		if _, err := x.one(ctx); err != nil {
			return false, err
		}
		if x.queue.Spec.Groups || len(x.held) == held || len(x.held) >= x.every {
			if len(x.held) == 0 {
				return false, nil
			}
			x.settle()
			return true, x.settled()
		}
		return true, nil
	})
}

// drainLeased receives all, waiting for leases that still run.
func (x *consumer) drainLeased(ctx context.Context) error {
	r := &receiver{client: x.client, queue: x.queue}
	return x.patient(func() (bool, error) {
		if err := r.call(ctx, 50, drainLease, 5, true); err != nil {
			return false, err
		}
		return len(r.held) > 0, r.settle(ctx, r.held, broker.Accept, false)
	})
}
