package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/amqpclient"
)

// A run is one measurement.
type run struct {
	gauge
	cfg  Config
	body []byte

	control    *amqpclient.Conn
	declared   int // queues
	publishers []*publisher
	consumers  []*consumer
	readers    sync.WaitGroup
}

// Run measures once. A broker that refuses, falls silent or breaks a connection is an
// error; messages that it lost are in the result.
func Run(ctx context.Context, cfg Config) (res *Result, err error) {
	if err := cfg.settle(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &run{
		cfg: cfg, body: make([]byte, cfg.Size),
		gauge: gauge{
			plan: plan{cfg.Publishers, cfg.Queues, cfg.Fanout}, fail: cancel, pid: cfg.PID,
			patience: cfg.Patience, meters: newMeters(max(cfg.Publishers, cfg.Consumers)),
		},
	}
	if cfg.Rate > 0 {
		r.patience += time.Duration(float64(time.Second) / cfg.Rate)
	}
	r.blocked = r.whyBlocked
	r.gauge.start()
	rand.Read(r.body) // no broker shall gain by compression; it never fails
	defer func() {
		cancel(nil)
		r.readers.Wait()
		err = errors.Join(err, r.cleanup(context.WithoutCancel(ctx)))
	}()
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	res, err = r.measure(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return res, err
}

// prepare connects everybody and makes the queues.
func (r *run) prepare(ctx context.Context) (err error) {
	if r.control, err = amqpclient.Dial(ctx, r.cfg.Target); err != nil {
		return err
	}
	if err := r.control.Open(channel); err != nil {
		return err
	}
	r.find(r.control.NetConn())
	if err := r.declare(); err != nil {
		return fmt.Errorf("prepare the queues: %w", err)
	}
	r.publishers = make([]*publisher, r.cfg.Publishers)
	r.consumers = make([]*consumer, r.cfg.Consumers)
	return errors.Join(
		inParallel(len(r.publishers), func(i int) (err error) {
			r.publishers[i], err = r.newPublisher(ctx, i)
			return err
		}),
		inParallel(len(r.consumers), func(i int) (err error) {
			r.consumers[i], err = r.newConsumer(ctx, i)
			return err
		}))
}

// inParallel calls fn with all numbers below n, several at a time. After an error of
// one it begins no more.
func inParallel(n int, fn func(i int) error) error {
	const workers = 16
	var next atomic.Int64
	var failed atomic.Bool
	var work sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !failed.Load(); i = next.Add(1) - 1 {
				if errs[w] = fn(int(i)); errs[w] != nil {
					failed.Store(true)
					return
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// read lets a reader run until its connection is closed.
func (r *run) read(reader func() error) {
	r.readers.Go(func() {
		if err := reader(); err != nil {
			r.fail(err)
		}
	})
}

// measure goes through the phases.
func (r *run) measure(ctx context.Context) (*Result, error) {
	res := &Result{Broker: product(r.control.Server)}
	for _, p := range r.publishers {
		r.read(p.read)
	}
	stopWatching := r.watch()
	defer stopWatching()
	if r.cfg.Preload > 0 {
		begin := r.mark()
		if r.cfg.Duration == 0 {
			r.from.Store(begin.at)
		}
		if err := r.fill(ctx); err != nil {
			return nil, err
		}
		res.Fill = r.mark().since(begin)
	}
	begin := r.mark()
	for _, c := range r.consumers {
		r.read(c.read)
		if err := c.start(); err != nil {
			return nil, err
		}
	}
	if r.cfg.Duration > 0 {
		var err error
		if res.Load, err = r.load(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.drain(ctx); err != nil {
		return nil, err
	}
	if r.cfg.Duration == 0 && r.cfg.Consumers > 0 {
		res.Drain = r.mark().since(begin)
	}
	stopWatching()
	if err := r.end(ctx); err != nil {
		return nil, err
	}
	res.Confirm, res.EndToEnd = r.meters.latencies()
	res.Messages = r.ledger().account()
	res.Server = r.server()
	return res, nil
}

// fill publishes what is to be there before anybody consumes.
func (r *run) fill(ctx context.Context) error {
	return r.publish(ctx, nil, 0, func(i int) int64 {
		n := int64(len(r.publishers))
		return (r.cfg.Preload + n - 1 - int64(i)) / n
	}, nil)
}

// load publishes for the time of the measurement.
func (r *run) load(ctx context.Context) (p *Phase, err error) {
	stop := make(chan struct{})
	all := func(int) int64 { return math.MaxInt64 }
	err = r.publish(ctx, stop, r.cfg.Rate, all, func() error {
		defer close(stop)
		var err error
		p, err = r.phase(ctx, r.cfg.Warmup, r.cfg.Duration)
		return err
	})
	return p, err
}

// publish lets all publishers send while meanwhile runs, and returns when everything
// is confirmed.
func (r *run) publish(
	ctx context.Context, stop chan struct{}, rate float64, most func(i int) int64,
	meanwhile func() error,
) error {
	var senders sync.WaitGroup
	begin := r.now()
	for i, p := range r.publishers {
		senders.Go(func() {
			at := newPace(begin, rate, i, len(r.publishers))
			if err := p.send(ctx, most(i), stop, at); err != nil {
				r.fail(err)
			}
		})
	}
	var err error
	if meanwhile != nil {
		err = meanwhile()
	}
	if err != nil {
		r.fail(err)
	}
	var sent atomic.Bool
	go func() {
		senders.Wait()
		sent.Store(true)
	}()
	err = r.await(ctx, func(c counts) bool {
		return sent.Load() && c.confirmed+c.refused == c.published
	})
	if err != nil {
		r.fail(err)
	}
	senders.Wait()
	return context.Cause(ctx)
}

// whyBlocked tells why, if the broker told a publisher to wait.
func (r *run) whyBlocked() string {
	for _, p := range r.publishers {
		if why := p.blocked.Load(); why != nil {
			return fmt.Sprintf("; the broker blocks publishers: %q", *why)
		}
	}
	return ""
}

// drain waits until all that was confirmed is received, or no more comes.
func (r *run) drain(ctx context.Context) error {
	if len(r.consumers) == 0 {
		return nil
	}
	copies := int64(1)
	if r.cfg.Fanout {
		copies = int64(r.cfg.Queues)
	}
	// What was refused may come all the same; then only silence tells that all is there.
	err := r.await(ctx, func(c counts) bool {
		return c.refused == 0 && c.delivered >= c.confirmed*copies
	})
	if errors.Is(err, errSilent) {
		return nil // the account tells
	}
	return err
}

// end closes all connections in order, and returns when their readers have ended.
func (r *run) end(ctx context.Context) error {
	for _, p := range r.publishers {
		if err := p.goodbye(); err != nil {
			return p.explain(err)
		}
	}
	for _, c := range r.consumers {
		if err := c.goodbye(); err != nil {
			return c.explain(err)
		}
	}
	timer := time.AfterFunc(r.cfg.Patience, func() {
		r.fail(errors.New("the broker does not answer the close of a connection"))
	})
	r.readers.Wait()
	timer.Stop()
	return context.Cause(ctx)
}
