package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What a histogram can tell, in nanoseconds. A longer latency counts as the longest.
const (
	shortest = int64(time.Microsecond)
	longest  = int64(time.Hour)
	digits   = 3
)

// Latency is the distribution of a latency, in microseconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// latencies gathers those of some connections, in nanoseconds.
type latencies struct {
	mu   sync.Mutex
	list *hdrhistogram.Histogram
}

func newLatencies() *latencies {
	return &latencies{list: hdrhistogram.New(shortest, longest, digits)}
}

func (l *latencies) add(nanoseconds int64) {
	l.mu.Lock()
	// It fails only outside of what it was made for.
	_ = l.list.RecordValue(min(max(nanoseconds, 0), longest))
	l.mu.Unlock()
}

// distribution of several together, which it empties.
func distribution(all []*latencies) Latency {
	sum := hdrhistogram.New(shortest, longest, digits)
	for _, l := range all {
		l.mu.Lock()
		sum.Merge(l.list)
		l.list.Reset()
		l.mu.Unlock()
	}
	at := func(percent float64) float64 { return micro(sum.ValueAtPercentile(percent)) }
	return Latency{
		Count: sum.TotalCount(), Mean: sum.Mean() / 1000,
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: micro(sum.Max()),
	}
}

func micro(nanoseconds int64) float64 { return float64(nanoseconds) / 1000 }
