package metrics

import (
	"fmt"
	"testing"

	"coffer/internal/broker"
)

// many makes a stage with ten thousand queues.
func many(b *testing.B) *stage {
	b.Helper()
	s := newStage(b)
	for i := range 10_000 {
		_, _, err := s.world.Namespace.DeclareQueue(b.Context(), nil,
			broker.QueueSpec{Name: fmt.Sprint("queue-", i)})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkScrape shows what Prometheus costs: the sums and each of ten thousand queues.
func BenchmarkScrape(b *testing.B) {
	h := many(b).handler()
	for _, v := range []view{
		{endpoint: "aggregated", prefix: "rabbitmq_"},
		{endpoint: "per-object", prefix: "rabbitmq_", each: true},
	} {
		b.Run(v.endpoint, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(h.render(v))
			}
			b.ReportMetric(float64(n), "B/answer")
		})
	}
}

// BenchmarkSample shows what a round of samples of ten thousand idle queues costs.
func BenchmarkSample(b *testing.B) {
	s := many(b)
	p := NewSampler(s, s, SamplerConfig{})
	seconds := 0.0
	b.ReportAllocs()
	for b.Loop() {
		seconds += 5
		p.Sample(at(seconds))
	}
}
