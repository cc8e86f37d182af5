package bench

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
)

// An sqsRun is one measurement.
type sqsRun struct {
	gauge
	cfg    SQSConfig
	queues []string // URLs, as JSON
	text   []byte   // of a message, behind its stamp

	control   *sqsConn
	senders   []*sender
	receivers []*receiver
	work      sync.WaitGroup
	over      atomic.Bool // receivers shall end
}

// RunSQS measures once. A server that refuses, falls silent or breaks a connection is
// an error; messages that it lost are in the result. Its Confirm is the latency of
// requests that send, Receive of those that got messages, and End to end of messages.
func RunSQS(ctx context.Context, cfg SQSConfig) (res *Result, err error) {
	if err := cfg.settle(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &sqsRun{cfg: cfg, text: letters(cfg.Size - MinSQSSize), gauge: gauge{
		plan: plan{cfg.Senders, cfg.Queues, false}, fail: cancel, pid: cfg.PID,
		patience: cfg.Patience, blocked: func() string { return "" },
		meters: newMeters(max(cfg.Senders, cfg.Receivers)),
	}}
	r.gauge.start()
	defer func() {
		r.over.Store(true)
		r.work.Wait()
		cancel(nil)
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

// prepare makes the queues and connects who sends.
func (r *sqsRun) prepare(ctx context.Context) (err error) {
	if r.control, err = dialSQS(ctx, &r.cfg.Target); err != nil {
		return err
	}
	r.find(r.control.net)
	if err := r.create(); err != nil {
		return err
	}
	r.senders = make([]*sender, r.cfg.Senders)
	for i := range r.cfg.Receivers {
		r.receivers = append(r.receivers, r.newReceiver(i))
	}
	return inParallel(len(r.senders), func(i int) (err error) {
		r.senders[i], err = r.newSender(ctx, i)
		return err
	})
}

// measure goes through the phases.
func (r *sqsRun) measure(ctx context.Context) (*Result, error) {
	res := &Result{Broker: cmp.Or(r.control.server, r.cfg.Target.URL)}
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
	if r.cfg.Duration > 0 {
		if r.cfg.Together {
			if err := r.connect(ctx); err != nil {
				return nil, err
			}
			r.receive(ctx)
		}
		var err error
		if res.Load, err = r.load(ctx); err != nil {
			return nil, err
		}
	}
	if !r.cfg.Leave && r.cfg.Receivers > 0 {
		if err := r.connect(ctx); err != nil {
			return nil, err
		}
		begin := r.mark()
		if err := r.drain(ctx); err != nil {
			return nil, err
		}
		if !r.cfg.Together || r.cfg.Duration == 0 {
			res.Drain = r.mark().since(begin)
		}
	}
	stopWatching()
	r.over.Store(true)
	r.work.Wait()
	res.Confirm, res.EndToEnd = r.meters.latencies()
	res.Receive, res.Wake = r.received()
	res.Messages = r.account()
	res.Server = r.server()
	return res, nil
}

// fill sends what is to be there before the load.
func (r *sqsRun) fill(ctx context.Context) error {
	n := int64(len(r.senders))
	var stop atomic.Bool
	most := func(i int) int64 { return (r.cfg.Preload + n - 1 - int64(i)) / n }
	return r.send(ctx, &stop, 0, most, func() error { return nil })
}

// load sends for the time of the measurement.
func (r *sqsRun) load(ctx context.Context) (p *Phase, err error) {
	var stop atomic.Bool
	err = r.send(ctx, &stop, r.cfg.Rate, func(int) int64 { return math.MaxInt64 }, func() error {
		defer stop.Store(true)
		var err error
		p, err = r.phase(ctx, r.cfg.Warmup, r.cfg.Duration)
		return err
	})
	return p, err
}

// send lets all senders send while meanwhile runs, and returns when all is answered.
func (r *sqsRun) send(
	ctx context.Context, stop *atomic.Bool, rate float64, most func(i int) int64,
	meanwhile func() error,
) error {
	begin := r.now()
	var sending sync.WaitGroup
	var sent atomic.Bool
	for i, s := range r.senders {
		sending.Go(func() {
			if err := s.send(most(i), stop, newPace(begin, rate, i, len(r.senders))); err != nil {
				r.fail(err)
			}
		})
	}
	err := meanwhile()
	go func() {
		sending.Wait()
		sent.Store(true)
	}()
	if err == nil {
		err = r.await(ctx, func(counts) bool { return sent.Load() })
	}
	if err != nil {
		r.fail(err)
	}
	sending.Wait()
	return context.Cause(ctx)
}

// receive lets all receivers begin.
func (r *sqsRun) receive(ctx context.Context) {
	for _, c := range r.receivers {
		if c.begun {
			continue
		}
		c.begun = true
		r.work.Go(func() {
			if err := c.receive(ctx); err != nil {
				r.fail(err)
			}
		})
	}
}

// drain waits until all that was sent is received and deleted, or no more comes.
func (r *sqsRun) drain(ctx context.Context) error {
	r.receive(ctx)
	err := r.await(ctx, func(c counts) bool { return c.delivered >= c.confirmed })
	if errors.Is(err, errSilent) {
		return nil // the account tells
	}
	return err
}

// account is that of all who have ended. Standard queues keep no order, and what waits
// in queues that are left is not lost.
func (r *sqsRun) account() Account {
	l := &ledger{plan: &r.plan}
	for _, s := range r.senders {
		l.sent, l.refused = append(l.sent, s.sent), append(l.refused, nil)
	}
	for _, c := range r.receivers {
		l.books = append(l.books, c.books)
	}
	a := l.account()
	if !r.cfg.FIFO {
		a.Misordered = 0
	}
	if r.cfg.Leave {
		a.Lost = 0
	}
	return a
}

// received gives latencies of requests that received something, and from the answer to
// who sent a message until it was received.
func (r *sqsRun) received() (receive, wake Latency) {
	var a, b []*latencies
	for _, c := range r.receivers {
		a, b = append(a, c.took), append(b, c.woke)
	}
	return distribution(a), distribution(b)
}
