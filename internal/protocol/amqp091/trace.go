package amqp091

import (
	"bytes"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/telemetry/trace"
)

// maxTraced bounds the spans of a channel that have not ended, of each kind.
const maxTraced = 1024

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
			s.Outcome(o.String())
			delete(t.delivered, n)
		}
	}
}

// span begins the span of a message with such headers, which are encoded.
func (c *conn) span(name string, kind trace.Kind, headers []byte, size int) *trace.Span {
	return c.srv.cfg.Tracer.Message(trace.Beginning{
		Name: name, Kind: kind, Parent: traceParent(headers),
	}, c.srv.cfg.Cluster, size)
}

// traceParent gives the header that names a trace; "" when there is none.
func traceParent(headers []byte) string {
	if !bytes.Contains(headers, []byte(trace.TraceParent)) {
		return ""
	}
	table, err := wire.ParseTable(headers)
	if err != nil {
		return ""
	}
	v, _ := table.Get(trace.TraceParent)
	text, ok := v.Text()
	if !ok || len(text) > trace.MaxTraceParent {
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

// traceDelivery begins the span of the last delivery, or get, which waits for its
// settlement if there is to be one. The caller holds the lock.
func (c *conn) traceDelivery(ch *channel, name string, noAck bool, content *broker.Content) {
	var props wire.Properties
	if c.srv.cfg.Tracer == nil || ch.tx != nil || props.Parse(content.Header) != nil {
		return
	}
	var headers []byte
	if props.Has(wire.FlagHeaders) {
		headers = props.Headers
	}
	switch s := c.span(name, trace.Consumer, headers, len(content.Body)); {
	case s == nil:
	case noAck:
		s.Outcome(broker.Accept.String())
	default:
		note(&ch.traces.delivered, ch.lastTag, s)
	}
}
