package shovel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// Bounds of an end.
const (
	closeGrace  = 5 * time.Second  // for a goodbye
	cutAfter    = 10 * time.Second // for a shovel that is to end while a peer takes nothing
	deleteAgain = 5 * time.Second  // between tries to delete a parameter
)

// worker runs one shovel.
type worker struct {
	set    *Set
	key    key
	value  []byte
	by     string // who set the parameter; "": the broker
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned

	counters relay.Counters
	blocked  atomic.Bool

	mu     sync.Mutex
	status Status
}

// run moves messages until ctx ends or the shovel has deleted itself.
func (w *worker) run(ctx context.Context) {
	d, err := parse(w.value, w.by)
	if err != nil {
		w.terminate(err)
		return
	}
	for ctx.Err() == nil {
		w.report(Status{State: Starting})
		err := w.attempt(ctx, d)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			w.log.Info("shovel is done and deletes itself")
			w.delete(ctx)
			return
		}
		w.terminate(err)
		if d.delay == 0 || !wait(ctx, d.delay) {
			return
		}
	}
}

// wait reports whether the time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// delete removes the parameter of a shovel that has moved all it was to move.
func (w *worker) delete(ctx context.Context) {
	for {
		err := w.set.params.DeleteParameter(ctx, Component, w.key.vhost, w.key.name)
		if err == nil || fault.KindOf(err) == fault.NotFound || ctx.Err() != nil {
			return
		}
		w.terminate(fmt.Errorf("delete the shovel: %w", err))
		if !wait(ctx, deleteAgain) {
			return
		}
	}
}

// attempt connects both ends and moves messages. It returns nil when all are moved.
func (w *worker) attempt(ctx context.Context, d *definition) error {
	name := "Shovel " + w.key.name
	src, err := w.set.dialer.DialAny(ctx, d.source.uris, name)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	defer src.End(closeGrace)
	dst, err := w.set.dialer.DialAny(ctx, d.destination.uris, name)
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	defer dst.End(closeGrace)
	defer w.watch(ctx, src, dst)()
	return w.forward(ctx, d, src, dst)
}

// watch notes whether the destination is blocked, and cuts connections that hang when
// ctx has ended. The function it gives ends it.
func (w *worker) watch(ctx context.Context, src, dst *peer.Conn) (stop func()) {
	w.blocked.Store(false)
	over := make(chan struct{})
	blocked := dst.NotifyBlocked(make(chan amqp.Blocking, 1))
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case b, ok := <-blocked:
				if !ok {
					return
				}
				w.blocked.Store(b.Active)
			case <-over:
				return
			}
		}
	})
	work.Go(func() {
		select {
		case <-ctx.Done():
		case <-over:
			return
		}
		select {
		case <-time.After(cutAfter):
			src.Cut()
			dst.Cut()
		case <-over:
		}
	})
	return func() {
		close(over)
		work.Wait()
	}
}

// forward declares what has to be and moves messages.
func (w *worker) forward(ctx context.Context, d *definition, src, dst *peer.Conn) error {
	target, err := dst.Channel()
	if err == nil {
		err = d.destination.declare(dst)
	}
	if err != nil {
		return fmt.Errorf("destination: %w", peer.Reason(err))
	}
	from, err := src.Channel()
	if err != nil {
		return fmt.Errorf("source: %w", peer.Reason(err))
	}
	queue, count, err := d.source.declare(src, from)
	if err != nil {
		return fmt.Errorf("source: %w", peer.Reason(err))
	}
	message := d.destination.maker(&d.source, shovelled{
		by: w.set.cfg.Cluster, name: w.key.name, vhost: w.key.vhost,
		source: src.URI.String(), destination: dst.URI.String(),
	})
	w.counters.Forwarded.Store(0)
	w.report(Status{
		State: Running, SourceURI: src.URI.String(), DestinationURI: dst.URI.String(),
		Source: d.source.place(), Destination: d.destination.place(),
	})
	return relay.Run(ctx, relay.Config{
		Source: from, Target: target, Queue: queue, Arguments: d.source.consumer,
		Prefetch: d.source.prefetch, Mode: d.mode, Count: count, Make: message,
	}, &w.counters)
}

// terminate notes why the shovel does not run.
func (w *worker) terminate(err error) {
	w.report(Status{State: Terminated, Reason: err.Error()})
	w.log.Warn("shovel does not run", "reason", err.Error())
}

func (w *worker) report(s Status) {
	s.Vhost, s.Name, s.Since = w.key.vhost, w.key.name, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
	if s.State == Running {
		w.log.Info("shovel runs", "source", s.SourceURI, "destination", s.DestinationURI)
	}
}

// shown is the status with what changes all the time.
func (w *worker) shown() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Blocked = w.blocked.Load()
	s.Forwarded, s.Pending = w.counters.Forwarded.Load(), w.counters.Pending.Load()
	s.Remaining, s.RemainingUnacked = w.counters.Left.Load(), w.counters.Unsent.Load()
	return s
}
