package trace

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"coffer/internal/telemetry"
)

// Bounds of what waits for the collector.
const (
	maxQueue    = 2048 // spans
	maxBatch    = 512  // spans of one request
	sendEvery   = time.Second
	sendTimeout = 10 * time.Second
	tellEvery   = time.Minute // that the collector takes nothing
)

// queue is a span processor that never waits.
type queue struct {
	to    sdk.SpanExporter
	log   *slog.Logger
	told  time.Time
	spans chan sdk.ReadOnlySpan

	sent, dropped telemetry.Counter

	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	ctx     context.Context // of requests; ends when Shutdown's does
	cancel  context.CancelFunc
}

var _ sdk.SpanProcessor = (*queue)(nil)

func newQueue(to sdk.SpanExporter, cfg Config) *queue {
	spans := cfg.Metrics.Counters("coffer_trace_spans_total",
		"Spans of traces that were sent, or dropped because the collector did not take them.",
		"outcome")
	q := &queue{
		to: to, log: cfg.Logger, spans: make(chan sdk.ReadOnlySpan, maxQueue),
		sent: spans.With("sent"), dropped: spans.With("dropped"),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run(cfg.every)
	return q
}

// OnStart is [sdk.SpanProcessor]'s.
func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd is [sdk.SpanProcessor]'s.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	select {
	case q.spans <- s:
	default:
		q.dropped.Inc()
	}
}

// ForceFlush is [sdk.SpanProcessor]'s; spans are never late by more than a second.
func (q *queue) ForceFlush(context.Context) error { return nil }

// Shutdown is [sdk.SpanProcessor]'s: it sends what waits, as long as ctx lasts.
func (q *queue) Shutdown(ctx context.Context) error {
	q.once.Do(func() { close(q.stop) })
	defer q.cancel()
	defer context.AfterFunc(ctx, q.cancel)()
	<-q.stopped
	return ctx.Err()
}

// run sends what has gathered, now and then.
func (q *queue) run(every time.Duration) {
	defer close(q.stopped)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-q.stop:
			for q.send() {
			}
			return
		}
		for q.send() {
		}
	}
}

// send sends a batch, if there is something, and reports whether there may be more.
func (q *queue) send() (more bool) {
	var batch []sdk.ReadOnlySpan
	for len(batch) < maxBatch {
		select {
		case s := <-q.spans:
			batch = append(batch, s)
			continue
		default:
		}
		break
	}
	if len(batch) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(q.ctx, sendTimeout)
	defer cancel()
	if err := q.to.ExportSpans(ctx, batch); err != nil {
		q.dropped.Add(len(batch))
		if now := time.Now(); now.Sub(q.told) > tellEvery {
			q.told = now
			q.log.Warn("spans are dropped: the collector does not take them", "error", err)
		}
		return len(batch) == maxBatch
	}
	q.sent.Add(len(batch))
	return len(batch) == maxBatch
}
