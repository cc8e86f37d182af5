package amqp091

import (
	"context"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// Policer is an [Engine] with policies: rules for queues and exchanges beside their
// arguments.
type Policer interface {
	// DefaultQueueType is the type of queues that are declared without one; "" is classic.
	DefaultQueueType(vhost string) string
	// Limit gives the rules of a queue that is about to be declared with encoded arguments.
	Limit(vhost, queue string, arguments []byte) broker.Limits
	// Alternate gives the alternate of an exchange whose arguments name none; "" is none.
	Alternate(vhost, exchange string) string
	// Conform follows a declaration: policies may have changed meanwhile.
	Conform(ctx context.Context, vhost string, q *broker.Queue) error
	// ConformExchange is Conform for an exchange.
	ConformExchange(ctx context.Context, vhost, exchange string) error
}

// typed gives the arguments of a queue with the type that is the default here. One that
// the default type does not allow is classic.
func (c *conn) typed(t wire.Table, m *wire.QueueDeclare) wire.Table {
	k, ok := c.engine.(Policer)
	if !ok {
		return t
	}
	kind := k.DefaultQueueType(c.client.VHost)
	if _, said := t.Get(argType); kind == "" || said {
		return t
	}
	if !m.Durable || m.Exclusive || m.AutoDelete {
		kind = classicName
	}
	return append(t[:len(t):len(t)], wire.Field{Name: argType, Value: wire.StringValue(kind)})
}

// conform has a new queue follow the policies.
func (c *conn) conform(q *broker.Queue) error {
	if k, ok := c.engine.(Policer); ok {
		return k.Conform(c.ctx, c.client.VHost, q)
	}
	return nil
}

// conformExchange has a new exchange follow the policies.
func (c *conn) conformExchange(name string) error {
	if k, ok := c.engine.(Policer); ok {
		return k.ConformExchange(c.ctx, c.client.VHost, name)
	}
	return nil
}

// Dialect tells what the arguments mean that are kept with queues and exchanges.
type Dialect struct{}

// Arguments reads kept arguments for JSON; see [wire.Table.Plain].
func (Dialect) Arguments(kept []byte) (map[string]any, error) {
	t, err := wire.ParseTable(fields(kept))
	if err != nil {
		return nil, err
	}
	return t.Plain(), nil
}

// Alternate is the alternate exchange that kept arguments name.
func (Dialect) Alternate(kept []byte) string {
	name, _ := findArgument(kept, argAlternate).Text()
	return name
}

// Shape tells what kept arguments alone make of a queue: its type, its rules, and
// whether they say something of the overflow and of the delivery limit.
func (Dialect) Shape(kept []byte) (kind string, l broker.Limits, overflow, deliveries bool) {
	t, err := wire.ParseTable(fields(kept))
	if err != nil {
		return classicName, l, false, false // they were checked before they were kept
	}
	var s broker.QueueSpec
	shape(&s, t)
	kind = classicName
	if kindOfQueue(t) == quorum {
		kind = quorumName
	}
	_, overflow = t.Get(argOverflow)
	_, deliveries = t.Get(argDeliveryLimit)
	return kind, s.Limits, overflow, deliveries
}
