package federation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// lookEvery is how often an exchange's link sees whether what it made is still there.
const lookEvery = time.Minute

// far names what an exchange's link makes upstream: a queue, and by turns one of two
// exchanges of its own, which collect what the bindings here ask for.
func (e *ends) queueName() string {
	here, there := e.plan.vhost, e.far.URI.Vhost()
	name := "federation: " + e.plan.far + " -> " + e.set.cfg.Cluster
	switch {
	case here != there:
		return name + ":" + here + ":" + e.plan.name
	case e.plan.name != e.plan.far:
		return name + ":" + e.plan.name
	}
	return name
}

// exchange brings what an exchange upstream gets, as far as there are bindings for it.
func (e *ends) exchange(ctx context.Context) error {
	b, err := e.bindings()
	if err != nil {
		return fmt.Errorf("upstream: %w", peer.Reason(err))
	}
	source, err := e.far.Channel()
	if err != nil {
		return fmt.Errorf("upstream: %w", peer.Reason(err))
	}
	target, err := e.near.Channel()
	if err != nil {
		return fmt.Errorf("here: %w", peer.Reason(err))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	work.Go(func() {
		if err := e.keep(ctx, b); err != nil {
			cancel(fmt.Errorf("upstream: %w", peer.Reason(err)))
		}
	})
	e.report(Running, e.far.URI.String(), nil)
	u := e.plan.upstream
	far, _ := e.far.Properties["cluster_name"].(string)
	err = relay.Run(ctx, relay.Config{
		Source: source, Target: target, Queue: b.queue, Tag: u.tag,
		Prefetch: u.prefetch, Mode: u.mode, Count: relay.Unlimited,
		Make: e.fromExchange(far),
	}, &e.counters)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	work.Wait()
	if e.gone.Load() && !u.keep {
		b.remove(e.far)
	}
	return err
}

// bound is what a link has bound upstream.
type bound struct {
	ch              *amqp.Channel
	queue, exchange string // exchange is one of names; "": none
	names           [2]string
	have            map[string]struct{}
}

// binding is a binding of the exchange here, as it is made upstream.
type binding struct {
	key  string
	args amqp.Table
}

// bindings makes the queue upstream and binds what is bound here.
func (e *ends) bindings() (*bound, error) {
	if err := e.ensureExchange(); err != nil {
		return nil, err
	}
	ch, err := e.far.Channel()
	if err != nil {
		return nil, err
	}
	b := &bound{ch: ch, queue: e.queueName()}
	b.names = [2]string{b.queue + " A", b.queue + " B"}
	args := e.plan.upstream.arguments
	if _, err := ch.QueueDeclare(b.queue, true, false, false, false, args); err != nil {
		return nil, err
	}
	if e.has(b.names[0]) { // of the link's last life
		b.exchange = b.names[0]
	}
	want, err := e.wanted()
	if err == nil {
		err = e.turn(b, want)
	}
	return b, err
}

// turn makes the other exchange upstream, with all bindings, and then removes the one
// before, so that nothing is missed in between. That is also how bindings go: to unbind
// one its arguments would have to be written as they were, tables in them too.
func (e *ends) turn(b *bound, want map[string]binding) error {
	old, next := b.exchange, b.names[0]
	if old == next {
		next = b.names[1]
	}
	if err := b.ch.ExchangeDelete(next, false, false); err != nil {
		return err
	}
	err := b.ch.ExchangeDeclare(next, "fanout", true, true, true, false,
		amqp.Table{"x-internal-purpose": "federation"})
	if err == nil {
		err = b.ch.QueueBind(b.queue, "", next, false, nil)
	}
	if err != nil {
		return err
	}
	b.exchange, b.have = next, map[string]struct{}{}
	if err := e.add(b, want); err != nil || old == "" {
		return err
	}
	return b.ch.ExchangeDelete(old, false, false)
}

// add binds what is not bound yet.
func (e *ends) add(b *bound, want map[string]binding) error {
	for id, w := range want {
		if _, ok := b.have[id]; ok {
			continue
		}
		nowait := e.plan.upstream.bindNowait
		if err := b.ch.ExchangeBind(b.exchange, w.key, e.plan.far, nowait, w.args); err != nil {
			return err
		}
		b.have[id] = struct{}{}
	}
	return nil
}

// bind brings the bindings upstream in line with those here.
func (e *ends) bind(b *bound) error {
	want, err := e.wanted()
	if err != nil {
		return err
	}
	for id := range b.have {
		if _, ok := want[id]; !ok {
			return e.turn(b, want)
		}
	}
	return e.add(b, want)
}

// has reports whether there is an exchange of the name upstream.
func (e *ends) has(name string) bool {
	ch, err := e.far.Channel()
	if err != nil {
		return false
	}
	defer ch.Close()
	return ch.ExchangeDeclarePassive(name, "fanout", true, true, true, false, nil) == nil
}

// ensureExchange declares the exchange upstream like the one here, unless there is one.
func (e *ends) ensureExchange() error {
	a, u := e.plan.address, e.plan.upstream
	ch, err := e.far.Channel()
	if err != nil {
		return err
	}
	kind := rabbitmq.ExchangeType(a.Kind)
	err = ch.ExchangeDeclarePassive(u.exchange, kind, a.Durable, a.AutoDelete, a.Internal,
		false, nil)
	if err == nil {
		return ch.Close()
	}
	if r, ok := errors.AsType[*amqp.Error](err); !ok || r.Code != amqp.NotFound {
		return err
	}
	if ch, err = e.far.Channel(); err != nil {
		return err
	}
	args, err := e.set.cfg.Arguments(a.Arguments)
	if err != nil {
		return err
	}
	return cmp.Or(ch.ExchangeDeclare(u.exchange, kind, a.Durable, a.AutoDelete, a.Internal,
		false, table(args)), ch.Close())
}

// keep follows the bindings here until ctx ends.
func (e *ends) keep(ctx context.Context, b *bound) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-e.look:
			err = e.bind(b)
		case <-ticker.C:
			for _, name := range []string{b.exchange, e.plan.far} {
				if err == nil {
					err = b.ch.ExchangeDeclarePassive(name, "fanout", true, true, true, false, nil)
				}
			}
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// remove takes away what the link has upstream. It may be gone already.
func (b *bound) remove(far *peer.Conn) {
	ch, err := far.Channel()
	if err != nil {
		return
	}
	defer ch.Close()
	ch.QueueDelete(b.queue, false, false, false)
	for _, name := range b.names {
		ch.ExchangeDelete(name, false, false)
	}
}
