package federation

import (
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// priority is that of the consumer upstream: those of the upstream itself go first.
const priority = -1

// queue brings messages while the queue here is empty and has consumers that want some.
func (e *ends) queue(ctx context.Context) error {
	source, err := e.far.Channel()
	if err != nil {
		return fmt.Errorf("upstream: %w", peer.Reason(err))
	}
	target, err := e.near.Channel()
	if err != nil {
		return fmt.Errorf("here: %w", peer.Reason(err))
	}
	u, spec := e.plan.upstream, e.plan.queue
	args, err := e.set.cfg.Arguments(spec.Arguments)
	if err != nil {
		return err
	}
	_, err = source.QueueDeclare(u.queue, spec.Durable, spec.AutoDelete, false, false, table(args))
	if err != nil {
		return fmt.Errorf("upstream: %w", peer.Reason(err))
	}
	demand := make(chan bool)
	var work sync.WaitGroup
	defer work.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work.Go(func() { e.demand(ctx, demand) })
	e.report(Running, e.far.URI.String(), nil)
	return relay.Run(ctx, relay.Config{
		Source: source, Target: target, Queue: u.queue, Tag: u.tag,
		Arguments: amqp.Table{"x-priority": int32(priority)},
		Prefetch:  u.prefetch, Mode: u.mode, Count: relay.Unlimited,
		Make: e.fromQueue, Demand: demand,
	}, &e.counters)
}

// demand tells whether messages are wanted here, whenever that changes.
func (e *ends) demand(ctx context.Context, to chan<- bool) {
	ticker := time.NewTicker(e.set.cfg.Poll)
	defer ticker.Stop()
	for told := false; ; {
		if want := e.wants(ctx); want != told {
			select {
			case to <- want:
				told = want
			case <-ctx.Done():
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// wants reports whether the queue here is empty and has a consumer that could take a
// message and is no link's.
func (e *ends) wants(ctx context.Context) bool {
	n, ok := e.set.broker.Namespace(e.plan.vhost)
	if !ok {
		return false
	}
	q, ok := n.Topology().Queue(e.plan.name)
	if !ok {
		return false
	}
	if ready, _, consumers := q.Counts(); ready > 0 || consumers == 0 {
		return false
	}
	list, err := q.Consumers(ctx)
	if err != nil {
		return false
	}
	for _, c := range list {
		if c.Active && c.Credit != 0 && c.Priority >= 0 {
			return true
		}
	}
	return false
}
