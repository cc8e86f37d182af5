package telemetry

import (
	"math"
	"sort"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// A Crowd is a histogram of values that come many at a time: thousands of messages that
// waited for one batch cost as much as one.
type Crowd struct {
	desc   *prometheus.Desc
	bounds []float64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Uint64   // bits of a float64
}

// Crowd makes a histogram of [Seconds].
func (r *Registry) Crowd(name, help string) *Crowd {
	c := &Crowd{desc: prometheus.NewDesc(name, help, nil, nil), bounds: Seconds()}
	c.counts = make([]atomic.Uint64, len(c.bounds)+1)
	r.register(c)
	return c
}

// Observe notes a value of n, in the unit that the name says.
func (c *Crowd) Observe(v float64, n int) {
	c.counts[sort.SearchFloat64s(c.bounds, v)].Add(uint64(n))
	for {
		was := c.sum.Load()
		if c.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+v*float64(n))) {
			return
		}
	}
}

// Describe is [prometheus.Collector]'s.
func (c *Crowd) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect is [prometheus.Collector]'s.
func (c *Crowd) Collect(ch chan<- prometheus.Metric) {
	total, buckets := uint64(0), make(map[float64]uint64, len(c.bounds))
	for i, b := range c.bounds {
		total += c.counts[i].Load()
		buckets[b] = total
	}
	total += c.counts[len(c.bounds)].Load()
	sum := math.Float64frombits(c.sum.Load())
	ch <- prometheus.MustNewConstHistogram(c.desc, total, sum, buckets)
}
