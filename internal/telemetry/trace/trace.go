// Package trace tells a collector of OpenTelemetry what a request led to, and how long
// each part of it took: spans over OTLP, which is HTTP with Protocol Buffers.
//
// It guarantees that nobody waits for the collector: spans wait in a bounded queue, and
// what does not fit is dropped and counted. It takes nothing from the process's
// environment, follows no redirect, and speaks plain HTTP to loopback only. A nil Tracer
// and a nil Span do nothing, at the cost of looking at them. It does not know what may be
// told: names that users gave, messages and secrets are left out by those who make spans.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"coffer/internal/telemetry"
)

// Bounds of what is told of one span.
const (
	maxAttributes = 32
	maxValue      = 256 // bytes
)

// Config says where spans go. Only Endpoint is required.
type Config struct {
	// Endpoint is the URL of the collector: https, or http to a loopback address. Without a
	// path it is that of the specification, /v1/traces.
	Endpoint string
	// CA is a file of certificates (PEM) that the collector's is checked with; "" is those
	// of the system.
	CA string
	// Ratio is the share of requests that are traced, of those of which the caller has not
	// decided it; 0 to 1.
	Ratio float64

	Version, Instance string              // what the collector is told of this process
	Metrics           *telemetry.Registry // nil: spans are not counted
	Logger            *slog.Logger        // slog.Default

	every time.Duration // sendEvery
}

// Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	queue    *queue
	ratio    float64
	client   *http.Client
}

// New begins to send spans. Close it. The errors have kind fault.Invalid and name what is
// wrong; whether anything answers at the endpoint is not tried.
func New(cfg Config) (*Tracer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.every == 0 {
		cfg.every = sendEvery
	}
	c, err := newClient(cfg.Endpoint, cfg.CA)
	if err != nil {
		return nil, err
	}
	t := &Tracer{client: c.http, ratio: cfg.Ratio}
	t.queue = newQueue(otlptrace.NewUnstarted(c), cfg)
	limits := sdk.NewSpanLimits()
	limits.AttributeCountLimit, limits.AttributeValueLengthLimit = maxAttributes, maxValue
	t.provider = sdk.NewTracerProvider(
		sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.AlwaysSample()), // of those that Start lets through
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "coffer"),
			attribute.String("service.version", cfg.Version),
			attribute.String("service.instance.id", cfg.Instance))),
		sdk.WithSpanProcessor(t.queue))
	t.tracer = t.provider.Tracer("coffer")
	return t, nil
}

// Close sends what waits, until ctx ends, and stops. Spans that end later are dropped.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.client.CloseIdleConnections()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Kind says what side of a conversation a span is.
type Kind = trace.SpanKind

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Producer = trace.SpanKindProducer
	Consumer = trace.SpanKindConsumer
)

// Beginning is how a trace begins in this process.
type Beginning struct {
	Name  string
	Kind  Kind
	Begin time.Time // zero = now
	// Parent is what a client sent, as W3C's Trace Context has it in the header traceparent;
	// what is malformed counts as nothing.
	Parent string
}

// Span is one part of a trace. Its methods may be called on nil, which is that of a
// request that is not traced, and not after End.
type Span struct{ span trace.Span }

// Start begins a span and puts it into ctx, when the request is to be traced.
func (t *Tracer) Start(ctx context.Context, b Beginning) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	parent := context.Background()
	if b.Parent != "" {
		parent = propagation.TraceContext{}.Extract(parent,
			propagation.MapCarrier{TraceParent: b.Parent})
	}
	// Here, as messages are many, and the SDK makes something also for who is not traced.
	if from := trace.SpanContextFromContext(parent); from.IsValid() && !from.IsSampled() ||
		!from.IsValid() && rand.Float64() >= t.ratio {
		return ctx, nil
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(b.Kind)}
	if !b.Begin.IsZero() {
		options = append(options, trace.WithTimestamp(b.Begin))
	}
	_, span := t.tracer.Start(parent, b.Name, options...)
	return trace.ContextWithSpan(ctx, span), &Span{span}
}

// TraceParent is the header, or the property of a message, in which a client says what
// trace it belongs to.
//
// Source: W3C Trace Context, and its AMQP protocol.
const TraceParent = "traceparent"

// MaxTraceParent is how many octets of it are looked at; the form in use has 55.
const MaxTraceParent = 64

// Message begins the span of a message of a broker, whose body has that many octets.
func (t *Tracer) Message(b Beginning, broker string, size int) *Span {
	_, s := t.Start(context.Background(), b)
	s.Set("messaging.system", "rabbitmq")
	s.Set("coffer.broker", broker)
	s.Count("messaging.message.body.size", size)
	return s
}

// Outcome ends the span of a delivery.
func (s *Span) Outcome(name string) {
	s.Set("messaging.rabbitmq.outcome", name)
	s.End("")
}

// Child begins a part of the span in ctx, if there is one.
func Child(ctx context.Context, name string) (context.Context, *Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nil
	}
	ctx, span := parent.TracerProvider().Tracer("coffer").Start(ctx, name)
	return ctx, &Span{span}
}

// Set notes something about the span.
func (s *Span) Set(name, value string) {
	if s != nil && value != "" {
		s.span.SetAttributes(attribute.String(name, value))
	}
}

// Count notes a number about the span.
func (s *Span) Count(name string, n int) {
	if s != nil {
		s.span.SetAttributes(attribute.Int(name, n))
	}
}

// End ends the span; failure is what went wrong, a code without names or values, or "".
func (s *Span) End(failure string) {
	if s == nil {
		return
	}
	if failure != "" {
		s.span.SetStatus(codes.Error, failure)
	}
	s.span.End()
}
