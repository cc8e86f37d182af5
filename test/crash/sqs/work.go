package sqs

import (
	"math/rand/v2"
	"time"
)

// send runs a sender until its connection ends, which is the error. It sends on in a group
// only when the message before has been answered.
func (r *round) send(c *client, p sender) error {
	rng := rand.New(rand.NewPCG(p.seed, 0))
	for {
		var list []*message
		for range 1 + rng.IntN(p.batch) {
			var delay time.Duration
			if !p.queue.fifo && p.queue != r.plan.purged && rng.IntN(20) == 0 {
				delay = time.Second
			}
			group := p.groups[rng.IntN(len(p.groups))]
			list = append(list, c.h.sending(p.queue, group, delay))
		}
		var err error
		if len(list) > 1 {
			err = c.sendAll(list)
		} else {
			err = c.send(list[0])
		}
		if err == nil && p.queue.fifo && rng.IntN(10) == 0 {
			err = c.repeat(list[0])
		}
		if err != nil && p.queue == r.plan.doomed && refusal(err, absent) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// receive runs a receiver until its connection ends, which is the error.
func (r *round) receive(c *client, p receiver) error {
	rng := rand.New(rand.NewPCG(p.seed, 1))
	for {
		visibility := time.Duration(1+rng.IntN(4)) * time.Second
		takes, err := c.receive(p.queue, 1+rng.IntN(10), visibility, time.Second)
		if err != nil {
			return err
		}
		if err := p.settle(c, rng, takes); err != nil {
			return err
		}
	}
}

// settle does with what was taken what the plan says.
func (p *receiver) settle(c *client, rng *rand.Rand, takes []*take) error {
	var rest []*take
	for _, t := range takes {
		var err error
		switch n := rng.IntN(100); {
		case n < p.release:
			err = c.change(t, 0)
		case n < p.release+p.forget:
		case n < p.release+p.forget+p.change:
			err = c.change(t, time.Duration(1+rng.IntN(3))*time.Second)
			rest = append(rest, t)
		default:
			rest = append(rest, t)
		}
		if err != nil {
			return err
		}
	}
	if len(rest) > 1 && rng.IntN(2) == 0 {
		return c.deleteAll(rest)
	}
	for _, t := range rest {
		if err := c.delete(t); err != nil {
			return err
		}
	}
	return nil
}

// chores starts a task that moves messages, purges a queue and deletes another one.
func (r *round) chores(c *client) error {
	p := r.plan
	_, err := c.call("StartMessageMoveTask", object{
		"SourceArn": p.graves.arn, "DestinationArn": p.landing.arn,
	}, nil)
	if err != nil {
		return err
	}
	if err := c.erase("PurgeQueue", p.purged, c.h.purging(p.purged, time.Now())); err != nil {
		return err
	}
	return c.erase("DeleteQueue", p.doomed, c.h.removing(p.doomed, time.Now()))
}

// erase purges a queue or deletes it, which is noted in s.
func (c *client) erase(operation string, q *queue, s *span) error {
	done, err := c.call(operation, object{"QueueUrl": q.url}, nil)
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	s.end = done.end
	return err
}
