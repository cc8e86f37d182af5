package amqp091

import (
	"context"
	"strconv"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// predeclare makes the exchanges that every virtual host has.
func predeclare(ctx context.Context, n *broker.Namespace) error {
	for _, x := range [...]broker.Address{
		{Name: "amq.direct", Kind: broker.Direct, Durable: true},
		{Name: "amq.fanout", Kind: broker.Fanout, Durable: true},
		{Name: "amq.topic", Kind: broker.Pattern, Durable: true},
		{Name: "amq.headers", Kind: broker.Matched, Durable: true},
		{Name: "amq.match", Kind: broker.Matched, Durable: true},
	} {
		if _, ok := n.Topology().Address(x.Name); ok {
			continue
		}
		if _, _, err := n.DeclareAddress(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// kindOf finds an exchange type.
func kindOf(name string) (broker.AddressKind, error) {
	switch name {
	case "direct":
		return broker.Direct, nil
	case "fanout", "x-federation-upstream":
		// A RabbitMQ that federates an exchange from here declares the latter: a fanout
		// that also looks how far a message has come. It does so itself, too.
		return broker.Fanout, nil
	case "topic":
		return broker.Pattern, nil
	case "headers":
		return broker.Matched, nil
	case "x-consistent-hash":
		return broker.Hashed, nil
	case "x-local-random":
		return broker.Drawn, nil
	}
	return 0, refuse(wire.PreconditionFailed, "unknown exchange type '%s'", name)
}

func kindName(k broker.AddressKind) string {
	switch k {
	case broker.Direct:
		return "direct"
	case broker.Fanout:
		return "fanout"
	case broker.Pattern:
		return "topic"
	case broker.Matched:
		return "headers"
	case broker.Hashed:
		return "x-consistent-hash"
	case broker.Drawn:
		return "x-local-random"
	}
	return "unknown"
}

// kindTerm shows an exchange type as Erlang prints an atom.
func kindTerm(k broker.AddressKind) string {
	name := kindName(k)
	if strings.Contains(name, "-") {
		return "'" + name + "'"
	}
	return name
}

// notDefault refuses to touch the default exchange.
func notDefault(name string) error {
	if name == "" {
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	return nil
}

// declareExchange answers exchange.declare.
func (c *conn) declareExchange(ch *channel, m *wire.ExchangeDeclare) error {
	name := clean(m.Exchange)
	if err := c.declaredExchange(name, m); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.ExchangeDeclareOk{})
	}
	return nil
}

func (c *conn) declaredExchange(name string, m *wire.ExchangeDeclare) error {
	if m.Passive {
		if err := notDefault(name); err != nil {
			return err
		}
		if _, ok := c.namespace.Topology().Address(name); !ok {
			return c.missing(ExchangeResource, name)
		}
		return nil
	}
	kind, err := kindOf(m.Type)
	if err == nil {
		err = notDefault(name)
	}
	if err == nil {
		err = c.permit(ExchangeResource, name, Configure)
	}
	if err != nil {
		return err
	}
	want := broker.Address{
		Name: name, Kind: kind, Durable: m.Durable, AutoDelete: m.AutoDelete,
		Internal: m.Internal,
	}
	have, ok := c.namespace.Topology().Address(name)
	if !ok {
		if strings.HasPrefix(name, reserved) {
			return refuse(wire.AccessRefused,
				"exchange name '%s' contains reserved prefix 'amq.*'", name)
		}
		if want.Alternate, err = c.alternate(name, m.Arguments); err != nil {
			return err
		}
		if err := checkHashing(kind, m.Arguments); err != nil {
			return err
		}
		if want.Arguments, err = encodeTable(m.Arguments); err != nil {
			return err
		}
		if have, _, err = c.namespace.DeclareAddress(c.ctx, want); err != nil {
			return err
		}
		if err := c.conformExchange(name); err != nil {
			return err
		}
	}
	return c.sameExchange(want, have, m.Arguments)
}

// sameExchange compares a declaration with what is there.
func (c *conn) sameExchange(want, have broker.Address, t wire.Table) error {
	owner := c.named(ExchangeResource, want.Name)
	err := equal("type", owner, want.Kind, have.Kind, kindTerm)
	if err == nil {
		err = equal("durable", owner, want.Durable, have.Durable, strconv.FormatBool)
	}
	if err == nil {
		err = equal("auto_delete", owner, want.AutoDelete, have.AutoDelete, strconv.FormatBool)
	}
	if err == nil {
		err = equal("internal", owner, want.Internal, have.Internal, strconv.FormatBool)
	}
	if err == nil {
		err = sameAlternate(owner, t, have)
	}
	return err
}

// deleteExchange answers exchange.delete; a missing one is deleted already.
func (c *conn) deleteExchange(ch *channel, m *wire.ExchangeDelete) error {
	name := clean(m.Exchange)
	if err := notDefault(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, reserved) {
		return refuse(wire.AccessRefused, "deletion of system %s not allowed",
			c.named(ExchangeResource, name))
	}
	if err := c.permit(ExchangeResource, name, Configure); err != nil {
		return err
	}
	err := c.namespace.DeleteAddress(c.ctx, name, m.IfUnused)
	if fault.KindOf(err) == fault.Conflict {
		return refuse(wire.PreconditionFailed, "%s in use", c.named(ExchangeResource, name))
	}
	if err := ignoreGone(err); err != nil {
		return err
	}
	if !m.NoWait {
		c.out.send(ch.number, &wire.ExchangeDeleteOk{})
	}
	return nil
}
