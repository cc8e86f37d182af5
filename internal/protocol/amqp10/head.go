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
		if string(name) != annotationExchange && string(name) != annotationKey {
			dst = append(append(dst, key...), value...)
			count++
		}
		return true
	})
	return wire.CloseMap(dst, at, count)
}

// Message annotations that tell where a message was sent to.
const (
	annotationExchange = "x-exchange"
	annotationKey      = "x-routing-key"
)
