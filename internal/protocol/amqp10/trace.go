package amqp10

import (
	"bytes"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/telemetry/trace"
)

// tracePublish begins the span of the message in hand, which waits for its outcome.
func (c *conn) tracePublish() *trace.Span {
	if c.srv.cfg.Tracer == nil {
		return nil
	}
	return c.srv.cfg.Tracer.Message(trace.Beginning{
		Name: "publish", Kind: trace.Producer,
		Parent: traceParent(c.message.Annotations, c.message.Bare.Application),
	}, c.srv.cfg.Cluster, len(c.message.Bare.Body))
}

// decidedSpan ends the span of a message that the broker took, or why it did not.
func decidedSpan(s *trace.Span, err error) {
	failure := ""
	if err != nil {
		failure = fault.KindOf(err).String()
	}
	s.End(failure)
}

// traceDelivery begins the span of a delivery; nil: it is not traced.
func (c *conn) traceDelivery(content *broker.Content) *trace.Span {
	if c.srv.cfg.Tracer == nil {
		return nil
	}
	var m wire.Message
	name := []byte(trace.TraceParent)
	// What cannot be read is the client's business; its span begins a trace.
	if bytes.Contains(content.Header, name) {
		_ = m.Parse(content.Header)
	}
	if bytes.Contains(content.Body, name) {
		_ = m.Bare.Parse(content.Body)
	}
	return c.srv.cfg.Tracer.Message(trace.Beginning{
		Name: "deliver", Kind: trace.Consumer,
		Parent: traceParent(m.Annotations, m.Bare.Application),
	}, c.srv.cfg.Cluster, len(content.Body))
}

// traceParent gives what names a trace: what was annotated on the way goes before what the
// sender wrote; "" when neither did.
//
// Source: W3C Trace Context: AMQP protocol, section 2.
func traceParent(annotations, properties wire.Raw) string {
	for _, m := range []wire.Raw{annotations, properties} {
		v := m.Find(trace.TraceParent)
		if text, ok := v.Text(); ok && len(text) <= trace.MaxTraceParent {
			return string(text)
		}
	}
	return ""
}
