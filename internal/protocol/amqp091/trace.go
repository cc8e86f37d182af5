package amqp091

import (
	"bytes"
	"context"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/telemetry/trace"
)

// traceHeader is the header of a message in which a client says what trace it belongs to.
//
// Source: W3C Trace Context: AMQP protocol, "traceparent".
const traceHeader = "traceparent"

// Bounds of tracing.
const (
	maxTraceParent = 64   // octets that are looked at; the form in use has 55
	maxTraced      = 1024 // spans of a channel that have not ended, of each kind
)

// traces are the spans of a channel that have not ended: of publishings until their
// confirm, by their number, and of deliveries until their settlement, by their tag. What
// is there when the channel ends is not told. Guarded by conn.out.
type traces struct{ published, delivered map[uint64]*trace.Span }

// note keeps a span.
func note(spans *map[uint64]*trace.Span, n uint64, s *trace.Span) {
	if *spans == nil {
		*spans = map[uint64]*trace.Span{}
	}
	if len(*spans) < maxTraced {
		(*spans)[n] = s
	}
}

// confirmed ends the span of a publishing.
func (t *traces) confirmed(seq uint64, err error) {
	if len(t.published) == 0 {
		return
	}
	failure := ""
	if err != nil {
		failure = fault.KindOf(err).String()
	}
	t.published[seq].End(failure)
	delete(t.published, seq)
}

// settled ends the spans of deliveries; tag and multiple are those of [unacked.take].
func (t *traces) settled(tag uint64, multiple bool, o broker.Outcome) {
	for n, s := range t.delivered {
		if n == tag || multiple && (n < tag || tag == 0) {
			s.Set("messaging.rabbitmq.outcome", outcomeNames[o])
			s.End("")
			delete(t.delivered, n)
		}
	}
}

// outcomeNames are what spans call outcomes.
var outcomeNames = map[broker.Outcome]string{
	broker.Accept: "accepted", broker.Release: "released", broker.Reject: "rejected",
}

// span begins the span of a message with such headers, which are encoded.
func (c *conn) span(name string, kind trace.Kind, headers []byte, size int) *trace.Span {
	_, s := c.srv.cfg.Tracer.Start(context.Background(), trace.Beginning{
		Name: name, Kind: kind, Parent: traceParent(headers),
	})
	s.Set("messaging.system", "rabbitmq")
	s.Set("coffer.broker", c.srv.cfg.Cluster)
	s.Count("messaging.message.body.size", size)
	return s
}

// traceParent gives the header that names a trace; "" when there is none.
func traceParent(headers []byte) string {
	if !bytes.Contains(headers, []byte(traceHeader)) {
		return ""
	}
	table, err := wire.ParseTable(headers)
	if err != nil {
		return ""
	}
	v, _ := table.Get(traceHeader)
	text, ok := v.Text()
	if !ok || len(text) > maxTraceParent {
		return ""
	}
	return text
}

// tracePublish begins the span of the publish in hand, which waits for its confirm.
func (c *conn) tracePublish(ch *channel, size int) {
	if c.srv.cfg.Tracer == nil {
		return
	}
	if s := c.span("publish", trace.Producer, c.headerTable(), size); s != nil {
		c.out.Lock()
		defer c.out.Unlock()
		note(&ch.traces.published, ch.published, s)
	}
}

// traceDelivery begins the span of the last delivery, which waits for its settlement. The
// caller holds the lock.
func (c *conn) traceDelivery(ch *channel, content *broker.Content) {
	var props wire.Properties
	if c.srv.cfg.Tracer == nil || ch.tx != nil || props.Parse(content.Header) != nil {
		return
	}
	var headers []byte
	if props.Has(wire.FlagHeaders) {
		headers = props.Headers
	}
	if s := c.span("deliver", trace.Consumer, headers, len(content.Body)); s != nil {
		note(&ch.traces.delivered, ch.lastTag, s)
	}
}
