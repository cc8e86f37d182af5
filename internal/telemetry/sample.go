package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Sampled is a metric that is read off a sample, whatever that is. It is a counter if
// its name ends in _total, and then must never show less than before; else a gauge.
type Sampled[S any] struct {
	Name, Help string
	// Of gives the value; nil where Each does.
	Of func(S) float64
	// Each shows a value for each set of values of Labels.
	Each   func(s S, show func(v float64, labels ...string))
	Labels []string
}

// Sample shows metrics of what take gives, which is called once whenever they are shown:
// they fit each other. take may be called from several goroutines and must not block.
func Sample[S any](r *Registry, take func() S, metrics ...Sampled[S]) {
	s := &sampler[S]{take: take, metrics: metrics}
	for _, m := range metrics {
		s.descs = append(s.descs, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil))
	}
	r.register(s)
}

// sampler is a collector of metrics of one sample.
type sampler[S any] struct {
	take    func() S
	metrics []Sampled[S]
	descs   []*prometheus.Desc // of metrics
}

// Describe is [prometheus.Collector]'s.
func (s *sampler[S]) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range s.descs {
		ch <- d
	}
}

// Collect is [prometheus.Collector]'s.
func (s *sampler[S]) Collect(ch chan<- prometheus.Metric) {
	sample := s.take()
	for i, m := range s.metrics {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(m.Name, "_total") {
			kind = prometheus.CounterValue
		}
		show := func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(s.descs[i], kind, v, labels...)
		}
		if m.Of != nil {
			show(m.Of(sample))
			continue
		}
		m.Each(sample, show)
	}
}
