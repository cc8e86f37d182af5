package amqp10

import (
	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// appendHead appends the sections before the bare message, as they are delivered: what
// the sender wrote, and what the broker knows.
func appendHead(dst []byte, d *broker.Delivery, content *broker.Content) []byte {
	var m wire.Message
	h := wire.Header{Durable: true}
	if len(content.Header) > 0 && m.Parse(content.Header) == nil && m.Header != nil {
		if h.Parse(m.Header) != nil {
			h = wire.Header{}
		}
	}
	if d.History != nil {
		h.TTL = wire.Opt[uint32]{} // of its first life
	}
	h.FirstAcquirer = !d.Redelivered
	h.DeliveryCount = wire.Opt[uint32]{Value: d.Count, Set: d.Count > 0}
	dst = h.Append(dst)
	dst = wire.AppendDescriptor(dst, wire.CodeMessageAnnotations)
	dst, at := wire.OpenMap(dst)
	count := 2
	dst = wire.AppendString(wire.AppendSymbol(dst, annotationExchange), d.Address)
	dst = wire.AppendString(wire.AppendSymbol(dst, annotationKey), d.Key)
	m.Annotations.Pairs(func(key, value wire.Raw) bool {
		name, _ := key.Symbol()
		switch string(name) {
		case annotationExchange, annotationKey, annotationDeaths:
		default:
			dst = append(append(dst, key...), value...)
			count++
		}
		return true
	})
	if d.History != nil && len(d.History.Deaths) > 0 {
		dst = appendDeaths(wire.AppendSymbol(dst, annotationDeaths), d.History)
		count++
	}
	return wire.CloseMap(dst, at, count)
}

// appendDeaths appends the list of a message's deaths, the last one first.
func appendDeaths(dst []byte, h *broker.History) []byte {
	dst, at := wire.OpenList(dst)
	for i := range h.Deaths {
		dst = appendDeath(dst, &h.Deaths[i])
	}
	return wire.CloseList(dst, at, len(h.Deaths))
}

func appendDeath(dst []byte, x *broker.Death) []byte {
	dst, at := wire.OpenMap(dst)
	count := 7
	if x.Lifetime >= 0 {
		life := uint32(min(x.Lifetime.Milliseconds(), 1<<32-1))
		dst = wire.AppendUint(wire.AppendSymbol(dst, "ttl"), life)
		count++
	}
	dst = wire.AppendString(wire.AppendSymbol(dst, "queue"), x.Queue)
	dst = wire.AppendSymbol(wire.AppendSymbol(dst, "reason"), reasonName(x.Reason))
	dst = wire.AppendUlong(wire.AppendSymbol(dst, "count"), uint64(x.Count))
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "first-time"), x.Time.UnixMilli())
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "last-time"), x.Time.UnixMilli())
	dst = wire.AppendString(wire.AppendSymbol(dst, "exchange"), x.Address)
	dst = wire.AppendSymbol(dst, "routing-keys")
	dst = wire.AppendStrings(dst, x.Key)
	return wire.CloseMap(dst, at, count)
}

// reasonNames are what RabbitMQ calls the reasons of deaths.
var reasonNames = [...]string{
	broker.Rejected: "rejected", broker.Expired: "expired", broker.TooMany: "maxlen",
	broker.DeliveryLimit: "delivery_limit",
}

func reasonName(r broker.Reason) string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return ""
}

// Message annotations that tell where a message was sent to.
const (
	annotationExchange = "x-exchange"
	annotationKey      = "x-routing-key"
	annotationDeaths   = "x-opt-deaths"
)
