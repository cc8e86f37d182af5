package sqs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"coffer/test/apiclient"
)

// round is one load, kill and drain.
type round struct {
	ctx     context.Context
	env     map[string]string // of the process that serves now
	plan    *plan
	history *history
	killing atomic.Bool // errors of clients are to be expected
}

func newRound(ctx context.Context, rng *rand.Rand, prefix string) *round {
	return &round{ctx: ctx, plan: newPlan(rng, prefix), history: newHistory()}
}

// dial makes a client with a connection of its own.
func (r *round) dial(ctx context.Context) (*client, func(), error) {
	api, err := apiclient.New(r.env)
	if err != nil {
		return nil, nil, err
	}
	api, stop, err := api.Keep()
	return &client{api: api, ctx: ctx, h: r.history}, stop, err
}

// with runs fn with a client. Errors while the process is killed are none.
func (r *round) with(ctx context.Context, what string, fn func(*client) error) error {
	c, stop, err := r.dial(ctx)
	if err == nil {
		defer stop()
		err = fn(c)
	}
	if err == nil || r.killing.Load() {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// create makes the queues; those of the plan that are sealed are so under key.
func (r *round) create(key string) error {
	return r.with(r.ctx, "create", func(c *client) error {
		for _, q := range r.plan.queues {
			var made struct{ QueueURL string }
			_, err := c.call("CreateQueue",
				object{"QueueName": q.name, "Attributes": q.attributes(key)}, &made)
			if err != nil {
				return err
			}
			q.url = made.QueueURL
			var out struct{ Attributes struct{ QueueArn string } }
			_, err = c.call("GetQueueAttributes",
				object{"QueueUrl": q.url, "AttributeNames": []string{"QueueArn"}}, &out)
			if err != nil {
				return err
			}
			q.arn = out.Attributes.QueueArn
		}
		return nil
	})
}

// load runs all clients and kills the process in the midst of it.
func (r *round) load(kill func() error) error {
	p := r.plan
	reached, due := make(chan struct{}), make(chan struct{})
	full := sync.OnceFunc(func() { close(reached) })
	begin := sync.OnceFunc(func() { close(due) })
	r.history.progress = func(told int) {
		if told >= p.chores {
			begin()
		}
		if told >= p.quota {
			full()
		}
	}
	var work sync.WaitGroup
	errs := make(chan error, len(p.senders)+len(p.receivers)+1)
	run := func(what string, fn func(*client) error) {
		work.Go(func() {
			if err := r.with(r.ctx, what, fn); err != nil {
				errs <- err
			}
		})
	}
	for _, s := range p.senders {
		run("send to "+s.queue.name, func(c *client) error { return r.send(c, s) })
	}
	for _, x := range p.receivers {
		run("receive from "+x.queue.name, func(c *client) error { return r.receive(c, x) })
	}
	run("chores", func(c *client) error {
		<-due
		return r.chores(c)
	})
	var err error
	select {
	case <-reached:
		<-time.NewTimer(p.delay).C
	case err = <-errs:
	case <-r.ctx.Done():
		err = context.Cause(r.ctx)
	}
	r.killing.Store(true)
	err = errors.Join(err, kill())
	begin() // for who waits
	work.Wait()
	r.killing.Store(false)
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return err
}
