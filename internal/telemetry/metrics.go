package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Registry holds the metrics of a process. The methods that make metrics panic
// when a name is malformed or taken: names are constants of the code. On a nil
// Registry they make metrics that count and are shown nowhere.
//
// Label values must be few: a name that a tenant chooses is none.
type Registry struct{ registry *prometheus.Registry }

// NewRegistry makes a registry that shows Go's and the process's own metrics.
func NewRegistry() *Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Registry{r}
}

func (r *Registry) register(c prometheus.Collector) {
	if r != nil {
		r.registry.MustRegister(c)
	}
}

// A Counter only grows; its name ends in _total. Its methods may be called
// from any goroutine, as those of the other kinds.
type Counter struct{ c prometheus.Counter }

// Inc adds one.
func (c Counter) Inc() { c.c.Inc() }

// Add adds n, which must not be negative.
func (c Counter) Add(n int) { c.c.Add(float64(n)) }

// Counters are counters that differ in their labels.
type Counters struct{ v *prometheus.CounterVec }

// With gives the counter of the values, in the order of the labels. It takes
// some 100 ns: keep the result where that matters.
func (c Counters) With(values ...string) Counter { return Counter{c.v.WithLabelValues(values...)} }

// Counter makes a counter.
func (r *Registry) Counter(name, help string) Counter { return r.Counters(name, help).With() }

// Counters makes counters with labels.
func (r *Registry) Counters(name, help string, labels ...string) Counters {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.register(v)
	return Counters{v}
}

// A Gauge goes up and down.
type Gauge struct{ g prometheus.Gauge }

// Set replaces the value.
func (g Gauge) Set(v float64) { g.g.Set(v) }

// Add adds v, which may be negative.
func (g Gauge) Add(v float64) { g.g.Add(v) }

// Gauges are gauges that differ in their labels.
type Gauges struct{ v *prometheus.GaugeVec }

// With gives the gauge of the values, in the order of the labels.
func (g Gauges) With(values ...string) Gauge { return Gauge{g.v.WithLabelValues(values...)} }

// Forget drops the gauge of the values, when its subject is gone.
func (g Gauges) Forget(values ...string) { g.v.DeleteLabelValues(values...) }

// Gauge makes a gauge.
func (r *Registry) Gauge(name, help string) Gauge { return r.Gauges(name, help).With() }

// Gauges makes gauges with labels.
func (r *Registry) Gauges(name, help string, labels ...string) Gauges {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.register(v)
	return Gauges{v}
}

// A Histogram counts observations in buckets.
type Histogram struct{ o prometheus.Observer }

// Observe notes one value, in the unit that the histogram's name says.
func (h Histogram) Observe(v float64) { h.o.Observe(v) }

// Histograms are histograms that differ in their labels.
type Histograms struct{ v *prometheus.HistogramVec }

// With gives the histogram of the values, in the order of the labels.
func (h Histograms) With(values ...string) Histogram {
	return Histogram{h.v.WithLabelValues(values...)}
}

// Histogram makes a histogram; bounds are the upper bounds of its buckets,
// ascending, none for [Seconds].
func (r *Registry) Histogram(name, help string, bounds []float64) Histogram {
	return r.Histograms(name, help, bounds).With()
}

// Histograms makes histograms with labels.
func (r *Registry) Histograms(name, help string, bounds []float64, labels ...string) Histograms {
	if bounds == nil {
		bounds = Seconds()
	}
	options := prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}
	v := prometheus.NewHistogramVec(options, labels)
	r.register(v)
	return Histograms{v}
}

// Bytes are bounds for sizes from 256 bytes to 16 MiB.
func Bytes() []float64 { return prometheus.ExponentialBuckets(256, 4, 9) }

// Seconds are bounds for durations from 50 microseconds to 13 seconds.
func Seconds() []float64 { return prometheus.ExponentialBuckets(50e-6, 2, 19) }
