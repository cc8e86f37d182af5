package rabbitmq

import (
	"context"
	"fmt"
	"slices"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// reshapeStep is how many queues one change of the topology touches.
const reshapeStep = 256

// reshape has a virtual host, its exchanges and its queues follow limits and policies.
func (b *Broker) reshape(ctx context.Context, name string) error {
	s := b.state.Load()
	v := s.vhosts[name]
	if v == nil || v.ns == nil {
		return nil
	}
	quota := v.ns.Quota()
	quota.MaxQueues = broker.Bound{}
	if most, ok := limitOf(v.row.Limits, MaxQueues); ok {
		quota.MaxQueues = broker.AtMost(most)
	}
	if quota != v.ns.Quota() {
		if err := v.ns.SetQuota(ctx, quota); err != nil {
			return fmt.Errorf("limits of vhost %q: %w", name, err)
		}
	}
	var queues []broker.QueueLimits
	v.ns.Topology().Queues(func(q *broker.Queue) bool {
		if want := b.limits(s, name, q); want != q.Limits() {
			queues = append(queues, broker.QueueLimits{Queue: q, Limits: want})
		}
		return true
	})
	for list := range slices.Chunk(queues, reshapeStep) {
		if err := v.ns.SetManyLimits(ctx, list); err != nil {
			return fmt.Errorf("policies of vhost %q: %w", name, err)
		}
	}
	return b.realign(ctx, s, name, v.ns)
}

// realign has the exchanges of a virtual host follow its policies.
func (b *Broker) realign(ctx context.Context, s *state, name string, ns *broker.Namespace) error {
	var addresses []broker.Address
	ns.Topology().Addresses(func(a broker.Address) bool {
		if b.alternate(s, name, &a) != a.Alternate {
			addresses = append(addresses, a)
		}
		return true
	})
	for i := range addresses {
		a := &addresses[i]
		err := ns.SetAlternate(ctx, a.Name, b.alternate(s, name, a))
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return fmt.Errorf("policies of vhost %q: %w", name, err)
		}
	}
	return nil
}

// limits gives the rules that a queue is to have.
func (b *Broker) limits(s *state, vhost string, q *broker.Queue) broker.Limits {
	spec := q.Spec()
	return s.limits(vhost, spec.Name, b.engine.dialect.Shape(spec.Arguments))
}

// alternate gives the alternate that an exchange is to have: its arguments count first.
func (b *Broker) alternate(s *state, vhost string, a *broker.Address) string {
	if own := b.engine.dialect.Alternate(a.Arguments); own != "" {
		return own
	}
	name, _ := s.effective(vhost, KindExchange, a.Name)["alternate-exchange"].(string)
	return name
}

// DefaultQueueType is the type of queues that are declared without one; "" is classic.
func (b *Broker) DefaultQueueType(vhost string) string {
	if v := b.state.Load().vhosts[vhost]; v != nil {
		return v.row.QueueType
	}
	return ""
}

// Limit gives the rules of a queue that is about to be declared with these arguments. Who
// declares it calls Conform then, since policies may change meanwhile.
func (b *Broker) Limit(vhost, name string, arguments []byte) broker.Limits {
	return b.state.Load().limits(vhost, name, b.engine.dialect.Shape(arguments))
}

// Alternate gives the alternate that policies name for an exchange; "" is none.
func (b *Broker) Alternate(vhost, exchange string) string {
	d := b.state.Load().effective(vhost, KindExchange, exchange)
	name, _ := d["alternate-exchange"].(string)
	return name
}

// ConsumerTimeout gives the time that policies name for settling a delivery of a queue
// with these arguments.
func (b *Broker) ConsumerTimeout(vhost, queue string, arguments []byte) (
	limit time.Duration, ok bool,
) {
	d := b.state.Load().effective(vhost, b.engine.dialect.Shape(arguments).Kind, queue)
	ms, ok := integer(d["consumer-timeout"])
	return time.Duration(min(ms, longestTime)) * time.Millisecond, ok
}

// Conform gives a queue that was declared the rules that policies want now.
func (b *Broker) Conform(ctx context.Context, vhost string, q *broker.Queue) error {
	for {
		// What is set last is looked at again by who set it, and so ends right.
		s := b.state.Load()
		v := s.vhosts[vhost]
		if v == nil {
			return nil
		}
		want := b.limits(s, vhost, q)
		if q.Limits() == want {
			return nil
		}
		err := v.ns.SetLimits(ctx, q, want)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ConformExchange is Conform for an exchange.
func (b *Broker) ConformExchange(ctx context.Context, vhost, name string) error {
	for {
		s := b.state.Load()
		v := s.vhosts[vhost]
		if v == nil {
			return nil
		}
		a, ok := v.ns.Topology().Address(name)
		if !ok {
			return nil
		}
		want := b.alternate(s, vhost, &a)
		if a.Alternate == want {
			return nil
		}
		err := v.ns.SetAlternate(ctx, name, want)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
