// Package crash loads a built Coffer, kills it at any moment, starts it again
// on the same directory, drains it, and holds what came back against what
// clients had been told, by the rules of package ledger.
//
// A kill keeps what the kernel has. Power cuts and torn writes are for the tests
// of the store.
package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

// round is one load, kill and drain.
type round struct {
	ctx    context.Context
	prefix string // of all names
	plan   *plan
	ledger *ledger.Ledger
	noise  []byte
	target atomic.Pointer[amqpclient.Config]

	killing  atomic.Bool // errors of clients are to be expected
	locked   atomic.Bool // refusals are to be expected
	refusals atomic.Int64
	drained  atomic.Int64
	alarm    atomic.Pointer[alarm]
}

// alarm rings once the load has come so far.
type alarm struct {
	reached func(*round) bool
	ring    func()
	rang    chan struct{}
}

func newRound(ctx context.Context, rng *rand.Rand, prefix string, filler []byte) *round {
	r := &round{ctx: ctx, prefix: prefix, ledger: ledger.New(), noise: filler}
	r.plan = newPlan(rng, prefix)
	r.plan.register(r.ledger)
	return r
}

// expect sets the alarm; clients ring it through progress.
func (r *round) expect(reached func(*round) bool) *alarm {
	a := &alarm{reached: reached, rang: make(chan struct{})}
	a.ring = sync.OnceFunc(func() { close(a.rang) })
	r.alarm.Store(a)
	return a
}

func (r *round) progress() {
	r.drained.Add(1)
	if a := r.alarm.Load(); a != nil && a.reached(r) {
		a.ring()
	}
}

// dial connects and opens the channel.
func (r *round) dial() (*amqpclient.Conn, error) {
	c, err := amqpclient.Dial(r.ctx, *r.target.Load())
	if err == nil {
		if err = c.Open(channel); err != nil {
			c.Close()
		}
	}
	return c, err
}

// declare makes the exchanges, queues and bindings.
func (r *round) declare() error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	var list []wire.Method
	for _, x := range r.plan.exchanges {
		list = append(list, &wire.ExchangeDeclare{Exchange: x.name, Type: x.kind, Durable: true})
	}
	for _, q := range r.plan.queues {
		list = append(list, &wire.QueueDeclare{Queue: q.name, Durable: q.durable})
		for _, key := range q.keys {
			list = append(list,
				&wire.QueueBind{Queue: q.name, Exchange: q.exchange, RoutingKey: key})
		}
	}
	for _, m := range list {
		if _, err := c.Call(channel, m); err != nil {
			return err
		}
	}
	return nil
}

// load runs all clients, lets steps happen in between, and kills.
func (r *round) load(kill func() error, steps ...func() error) error {
	if err := r.declare(); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	a := r.expect(func(r *round) bool { return r.ledger.Confirmed() >= r.plan.quota })
	var work sync.WaitGroup
	errs := make(chan error, len(r.plan.publishers)+len(r.plan.consumers))
	run := func(what string, fn func() error) {
		work.Go(func() {
			if err := fn(); err != nil && !r.killing.Load() {
				errs <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	for _, p := range r.plan.publishers {
		run("publish", func() error { return r.publish(p) })
	}
	for _, p := range r.plan.consumers {
		run("consume "+p.queue, func() error { return r.consume(p) })
	}
	err := r.await(a, errs)
	for _, step := range steps {
		if err == nil {
			err = step()
		}
	}
	return errors.Join(err, r.kill(kill), r.rest(&work, errs))
}

// await waits for the alarm or the first error.
func (r *round) await(a *alarm, errs <-chan error) error {
	select {
	case <-a.rang:
	case err := <-errs:
		return err
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	moment := time.NewTimer(time.Duration(r.plan.delayMicro) * time.Microsecond)
	<-moment.C
	return nil
}

func (r *round) kill(kill func() error) error {
	r.killing.Store(true)
	return kill()
}

// rest waits for the clients, which notice the kill by themselves.
func (r *round) rest(work *sync.WaitGroup, errs chan error) error {
	work.Wait()
	r.ledger.Killed()
	r.killing.Store(false)
	close(errs)
	var list []error
	for err := range errs {
		list = append(list, err)
	}
	return errors.Join(list...)
}

// failed joins errors of clients unless they are those of a kill.
func (r *round) failed(errs []error) error {
	if r.killing.Load() {
		return nil
	}
	return errors.Join(errs...)
}

// interrupt drains and kills in the middle of it.
func (r *round) interrupt(kill func() error) error {
	from := r.drained.Load()
	a := r.expect(func(r *round) bool { return r.drained.Load()-from >= int64(r.plan.again) })
	done := make(chan error, 1)
	go func() { done <- r.drain(false) }()
	var err error
	running := true
	select {
	case <-a.rang:
	case err = <-done:
		running = false
	}
	err = errors.Join(err, r.kill(kill))
	if running {
		err = errors.Join(err, <-done)
	}
	r.ledger.Killed()
	r.killing.Store(false)
	return err
}

// gone checks that queues do not exist.
func (r *round) gone(names ...string) error {
	for _, name := range names {
		c, err := r.dial()
		if err != nil {
			return err
		}
		_, err = r.count(c, name)
		c.Close()
		switch {
		case err == nil:
			r.ledger.Find("%s is there after a restart", name)
		case amqpclient.Code(err) != wire.NotFound:
			return fmt.Errorf("queue %s: %w", name, err)
		}
	}
	return nil
}
