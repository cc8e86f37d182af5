package amqp091

import (
	"strconv"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// Arguments of an exchange of type x-consistent-hash: what of a message is hashed in
// the place of its routing key.
const (
	argHashHeader   = "hash-header"
	argHashProperty = "hash-property"
)

// hashing is those arguments. They are read once and stay with the exchange.
type hashing struct{ header, property string }

// checkHashing refuses what RabbitMQ's plugin does.
func checkHashing(kind broker.AddressKind, t wire.Table) error {
	if kind != broker.Hashed {
		return nil
	}
	header, hasHeader := t.Get(argHashHeader)
	property, hasProperty := t.Get(argHashProperty)
	if _, ok := header.Text(); hasHeader && !ok {
		return refuse(wire.PreconditionFailed, "invalid type '%s' for arg '%s'",
			typeName(header), argHashHeader)
	}
	name, ok := property.Text()
	switch {
	case hasHeader && hasProperty:
		return refuse(wire.PreconditionFailed,
			"hash-header and hash-property are mutually exclusive")
	case !hasProperty:
		return nil
	case ok && (name == "correlation_id" || name == "message_id" || name == "timestamp"):
		return nil
	}
	return refuse(wire.PreconditionFailed, "Unsupported property: %s", valueText(property))
}

// checkWeight refuses a routing key that is no weight.
func checkWeight(key string) error {
	n, err := strconv.ParseInt(key, 10, 64)
	switch {
	case err != nil:
		return refuse(wire.PreconditionFailed, "The binding key must be an integer: %s",
			binaryTerm(key))
	case n < 1:
		return refuse(wire.PreconditionFailed, "The binding key must be greater than 0")
	case n > 1<<32-1:
		return refuse(wire.PreconditionFailed, "The binding key must be at most 4294967295")
	}
	return nil
}

// binaryTerm shows a text as Erlang prints its octets.
func binaryTerm(s string) string {
	if s == "" {
		return "<<>>"
	}
	return "<<" + term(s) + ">>"
}

// hashed is [broker.Guide]'s Hash.
func (c *leading) hashed(a broker.Address) ([]byte, bool) {
	if len(a.Arguments) == 0 {
		return nil, false
	}
	var h *hashing
	if p := a.Memo.Load(); p != nil {
		h, _ = (*p).(*hashing)
	}
	if h == nil {
		h = &hashing{}
		header := findArgument(a.Arguments, argHashHeader)
		property := findArgument(a.Arguments, argHashProperty)
		h.header, _ = header.Text()
		h.property, _ = property.Text()
		var kept any = h
		a.Memo.Store(&kept)
	}
	return c.hashText(h)
}

// hashText gives what is hashed; what a message does not have is nothing, and is
// the same for all of those.
func (c *leading) hashText(h *hashing) ([]byte, bool) {
	switch {
	case h.header != "":
		v, ok := wire.FindField(c.headerTable(), h.header)
		if !ok {
			return nil, true
		}
		if text, ok := v.Text(); ok {
			return text, true
		}
		return []byte(valueText(v.Copy())), true
	case h.property == "correlation_id" && c.props.Has(wire.FlagCorrelationID):
		return c.props.CorrelationID, true
	case h.property == "message_id" && c.props.Has(wire.FlagMessageID):
		return c.props.MessageID, true
	case h.property == "timestamp" && c.props.Has(wire.FlagTimestamp):
		return strconv.AppendUint(nil, c.props.Timestamp, 10), true
	}
	return nil, h.property != ""
}
