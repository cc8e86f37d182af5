package amqp091

import (
	"slices"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// argAlternate names the exchange that gets what an exchange has no binding for.
const argAlternate = "alternate-exchange"

// alternate reads the argument of an exchange to be declared. Who declares it must
// be able to read the one exchange and to write to the other.
func (c *conn) alternate(exchange string, t wire.Table) (string, error) {
	v, ok := t.Get(argAlternate)
	if !ok {
		if k, ok := c.engine.(Policer); ok {
			return k.Alternate(c.client.VHost, exchange), nil
		}
		return "", nil
	}
	name, ok := v.Text()
	if !ok {
		return "", refuse(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
			typeName(v), argAlternate, c.named(ExchangeResource, exchange))
	}
	if err := c.permit(ExchangeResource, exchange, Read); err != nil {
		return "", err
	}
	return name, c.permit(ExchangeResource, name, Write)
}

// sameAlternate compares what of the arguments RabbitMQ compares when an exchange is
// declared again. Others may differ.
func sameAlternate(owner string, t wire.Table, have broker.Address) error {
	old, err := wire.ParseTable(fields(have.Arguments))
	if err != nil {
		return err
	}
	return sameArgument(argAlternate, owner, t, old)
}

// findArgument finds one of encoded arguments.
func findArgument(encoded []byte, name string) wire.Value {
	v, _ := wire.FindField(fields(encoded), name)
	return v.Copy()
}

// fields gives the fields of an encoded table: what follows its length.
func fields(encoded []byte) []byte { return encoded[min(tableLength, len(encoded)):] }

// sorted gives the arguments of a binding in the order of their names, in which
// RabbitMQ keeps and compares them.
func sorted(t wire.Table) wire.Table {
	if len(t) < 2 {
		return t
	}
	t = slices.Clone(t)
	slices.SortStableFunc(t, func(a, b wire.Field) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return t
}
