package gateway

import (
	"context"
	"errors"

	"coffer/internal/fault"
	"coffer/internal/telemetry/trace"
)

// traceParent is the header by which a client asks to be traced.
//
// Source: W3C Trace Context, "traceparent Header".
const traceParent = "Traceparent"

// maxParent bounds what is looked at of it, in bytes; the form in use has 55.
const maxParent = 64

// begin begins the trace of a request whose caller is known. A parent that somebody names
// who proves to be nobody would let strangers fill the collector.
func (g *Gateway) begin(ctx context.Context, q *request) context.Context {
	b := trace.Beginning{Kind: trace.Server, Begin: q.began}
	if g.cfg.Tracer != nil {
		b.Name = q.service.API.Name + "." + q.op.Name
		if p := q.http.Header.Get(traceParent); len(p) <= maxParent {
			b.Parent = p
		}
	}
	ctx, q.span = g.cfg.Tracer.Start(ctx, b)
	q.span.Set("coffer.request_id", q.id)
	q.span.Set("coffer.account", q.call.Account)
	q.span.Set("coffer.region", q.call.Region)
	return ctx
}

// end ends the trace of a request that was answered with a status and an error's code.
func (q *request) end(status int, code string, err error) {
	decision := "allow"
	if fault.KindOf(err) == fault.Denied {
		decision = "deny"
	}
	q.span.Set("coffer.decision", decision)
	q.span.Set("error.type", code)
	q.span.Count("http.response.status_code", status)
	q.span.End(code)
}

// failure is what a span of a part says of an error: its kind, and never its text.
func failure(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, errPanic) {
		return "panic"
	}
	return fault.KindOf(err).String()
}
