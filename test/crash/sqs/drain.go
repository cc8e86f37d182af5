package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// absent is what a request for a queue that is not there is told.
const absent = "QueueDoesNotExist"

// dedupTime is less than for how long an id of deduplication counts.
const dedupTime = 4 * time.Minute

// again sends once more what was sent to FIFO queues and had no answer.
func (r *round) again() error {
	return r.with(r.ctx, "send again", func(c *client) error {
		for _, m := range r.history.pending() {
			if err := c.send(m); err != nil {
				return err
			}
			if time.Since(m.sends[0].begin) > dedupTime {
				return errors.New("the machine is too slow for deduplication to be seen")
			}
		}
		return nil
	})
}

// removed sees to it that the queue that was deleted is away, and makes it again.
func (r *round) removed() error {
	q := r.plan.doomed
	if q.deletion == nil {
		return nil
	}
	return r.with(r.ctx, "look for a deleted queue", func(c *client) error {
		_, err := c.call("GetQueueUrl", object{"QueueName": q.name}, nil)
		switch {
		case err == nil && q.deletion.answered():
			r.history.find("%s is there after its deletion", q.name)
		case err != nil && !refusal(err, absent):
			return err
		}
		_, err = c.call("CreateQueue",
			object{"QueueName": q.name, "Attributes": q.attributes("")}, nil)
		return err
	})
}

// interrupt drains and kills in the midst of it.
func (r *round) interrupt(kill func() error) error {
	begin := make(chan struct{})
	ring := sync.OnceFunc(func() { close(begin) })
	var told atomic.Int64
	r.history.progress = func(int) {
		if told.Add(1) >= int64(r.plan.again) {
			ring()
		}
	}
	done := make(chan error, 1)
	go func() { done <- r.drain() }()
	var err error
	running := true
	select {
	case <-begin:
	case err = <-done:
		running = false
	}
	r.killing.Store(true)
	err = errors.Join(err, kill())
	if running {
		err = errors.Join(err, <-done)
	}
	r.killing.Store(false)
	return err
}

// drain takes and deletes what is in all queues until they are empty and nothing is
// missing that was sent.
func (r *round) drain() error {
	ctx, stop := context.WithCancelCause(r.ctx)
	defer stop(nil)
	var work sync.WaitGroup
	for _, q := range r.plan.queues {
		for range 2 {
			work.Go(func() {
				err := r.with(ctx, "drain "+q.name, func(c *client) error {
					return r.drainQueue(c, q)
				})
				if err != nil {
					stop(err)
				}
			})
		}
	}
	work.Wait()
	return context.Cause(ctx)
}

// drained is how long what a drain takes is kept from others.
const drained = 3 * time.Second

func (r *round) drainQueue(c *client, q *queue) error {
	for r.ctx.Err() == nil {
		takes, err := c.receive(q, 10, drained, time.Second)
		if err == nil && len(takes) > 0 {
			err = c.deleteAll(takes)
		}
		if err == nil && len(takes) == 0 {
			var empty bool
			if empty, err = r.empty(c); empty {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// empty reports whether nothing is left in any queue, and nothing is missing.
func (r *round) empty(c *client) (bool, error) {
	for _, q := range r.plan.queues {
		if n, err := c.holds(q); err != nil || n > 0 {
			return false, err
		}
	}
	return r.history.missing() == 0, nil
}

// clear deletes the queues, of which none is there afterwards.
func (r *round) clear() error {
	return r.with(r.ctx, "clear", func(c *client) error {
		for _, q := range r.plan.queues {
			if _, err := c.call("DeleteQueue", object{"QueueUrl": q.url}, nil); err != nil {
				return err
			}
		}
		var out struct{ QueueURLs []string }
		_, err := c.call("ListQueues", object{}, &out)
		if err == nil && len(out.QueueURLs) > 0 {
			err = fmt.Errorf("queues that were deleted are there: %q", out.QueueURLs)
		}
		return err
	})
}
