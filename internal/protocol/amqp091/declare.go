package amqp091

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// Queue checks a declaration of a queue that comes from elsewhere than a client, with
// arguments as of JSON, and gives the queue that it makes. Errors: fault.Invalid and
// fault.NotImplemented, with the texts that clients get.
func (Dialect) Queue(vhost, name string, durable, autoDelete bool, arguments map[string]any) (
	broker.QueueSpec, error,
) {
	s := broker.QueueSpec{Name: name, Durable: durable, AutoDelete: autoDelete}
	t, err := tableOf(arguments)
	owner := named(QueueResource, name, vhost)
	if err == nil {
		err = checkQueueArguments(t, owner)
	}
	if v, ok := t.Get(argDeadExchange); ok && err == nil {
		if _, text := v.Text(); !text {
			err = refuse(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
				typeName(v), argDeadExchange, owner)
		}
	}
	if err == nil && kindOfQueue(t) == quorum {
		err = checkQuorum(&s, owner)
	}
	if err == nil {
		shape(&s, t)
		s.Arguments, err = encodeTable(t)
	}
	return s, asFault(err)
}

// Exchange is Queue for an exchange.
func (Dialect) Exchange(a broker.Address, vhost, kind string, arguments map[string]any) (
	broker.Address, error,
) {
	t, err := tableOf(arguments)
	if err == nil {
		a.Kind, err = kindOf(kind)
	}
	if v, ok := t.Get(argAlternate); ok && err == nil {
		if a.Alternate, ok = v.Text(); !ok {
			err = refuse(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
				typeName(v), argAlternate, named(ExchangeResource, a.Name, vhost))
		}
	}
	if err == nil {
		err = checkHashing(a.Kind, t)
	}
	if err == nil {
		a.Arguments, err = encodeTable(t)
	}
	return a, asFault(err)
}

// Binding is Queue for a binding of an exchange of that kind.
func (Dialect) Binding(b broker.Binding, kind broker.AddressKind, arguments map[string]any) (
	broker.Binding, error,
) {
	t, err := tableOf(arguments)
	switch {
	case err != nil:
	case kind == broker.Matched:
		err = checkCriteria(t)
	case kind == broker.Hashed:
		err = checkWeight(b.Key)
	}
	if err == nil {
		b.Arguments, err = encodeTable(sorted(t))
	}
	return b, asFault(err)
}

// asFault gives a refusal the kind that others than clients understand.
func asFault(err error) error {
	r, ok := errors.AsType[*refusal](err)
	switch {
	case err == nil:
		return nil
	case !ok && fault.KindOf(err) == fault.Internal:
		return fault.Wrap(fault.Invalid, err, asRefusal(err).text)
	case !ok:
		return err
	case r.code == wire.NotImplemented:
		return fault.Wrap(fault.NotImplemented, err, r.text)
	}
	return fault.Wrap(fault.Invalid, err, r.text)
}

// tableOf makes arguments of JSON, as RabbitMQ does: whole numbers are 64 bits wide.
func tableOf(m map[string]any) (wire.Table, error) { return tableAt(m, 0) }

func tableAt(m map[string]any, depth int) (wire.Table, error) {
	t := make(wire.Table, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		v, err := valueOf(m[name], depth+1)
		if err != nil {
			return nil, err
		}
		t = append(t, wire.Field{Name: name, Value: v})
	}
	return t, nil
}

func valueOf(v any, depth int) (wire.Value, error) {
	if depth > wire.MaxTableDepth {
		return wire.Value{}, fault.New(fault.Invalid, "arguments are deeper than %d",
			wire.MaxTableDepth)
	}
	switch v := v.(type) {
	case nil:
		return wire.Value{}, nil
	case bool:
		return wire.BoolValue(v), nil
	case string:
		return wire.StringValue(v), nil
	case int64:
		return wire.Int64Value(v), nil
	case float64:
		return wire.Float64Value(v), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return wire.Int64Value(n), nil
		}
		f, err := v.Float64()
		return wire.Float64Value(f), err
	case map[string]any:
		t, err := tableAt(v, depth)
		return wire.TableValue(t), err
	case []any:
		list := make([]wire.Value, len(v))
		for i, x := range v {
			var err error
			if list[i], err = valueOf(x, depth+1); err != nil {
				return wire.Value{}, err
			}
		}
		return wire.ArrayValue(list...), nil
	}
	return wire.Value{}, fault.New(fault.Invalid, "argument of the type %T", v)
}
