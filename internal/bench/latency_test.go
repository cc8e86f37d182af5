package bench

import (
	"math"
	"testing"
	"time"
)

// TestDistribution: several histograms are one, whose figures are right to a thousandth.
func TestDistribution(t *testing.T) {
	t.Parallel()
	all := []*latencies{newLatencies(), newLatencies()}
	for i := range 10_000 {
		all[i%2].add(int64(i+1) * int64(time.Millisecond))
	}
	d := distribution(all)
	for name, f := range map[string][2]float64{
		"mean": {d.Mean, 5_000_500}, "p50": {d.P50, 5_000_000}, "p90": {d.P90, 9_000_000},
		"p99": {d.P99, 9_900_000}, "p99.9": {d.P999, 9_990_000}, "max": {d.Max, 10_000_000},
	} {
		if math.Abs(f[0]-f[1]) > f[1]/500 {
			t.Errorf("%s is %.0f µs, want %.0f", name, f[0], f[1])
		}
	}
	if d.Count != 10_000 {
		t.Errorf("%d were counted", d.Count)
	}
	if d := distribution(all); d.Count != 0 {
		t.Errorf("%d are still there", d.Count)
	}
}

// TestLatencyBounds: what is outside counts at the edge.
func TestLatencyBounds(t *testing.T) {
	t.Parallel()
	l := newLatencies()
	l.add(-5)
	l.add(math.MaxInt64)
	d := distribution([]*latencies{l})
	if want := float64(longest) / 1000; d.Count != 2 || math.Abs(d.Max-want) > want/500 {
		t.Errorf("got %+v", d)
	}
}

// TestNoAllocation: to count costs no memory.
func TestNoAllocation(t *testing.T) {
	l := newLatencies()
	if n := testing.AllocsPerRun(100, func() { l.add(12345) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
