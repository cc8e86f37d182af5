package bench

import (
	"slices"
	"testing"

	"coffer/internal/amqpclient"
)

// TestCompare runs two brokers in turn.
func TestCompare(t *testing.T) {
	t.Parallel()
	var brokers []Measure
	for range 2 {
		s, err := newSink(nil, faults{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		to := amqpclient.Config{URL: "amqp://u:p@" + s.address()}
		brokers = append(brokers, Config{Preload: 10}.Of(to))
	}
	var order []int
	results, err := Compare(t.Context(), brokers, 3,
		func(broker int, _ *Result) error {
			order = append(order, broker)
			return nil
		})
	if err != nil || len(results[0]) != 3 || len(results[1]) != 3 {
		t.Fatalf("%d and %d results, %v", len(results[0]), len(results[1]), err)
	}
	if !slices.Equal(order, []int{0, 1, 0, 1, 0, 1}) {
		t.Errorf("the order was %v", order)
	}
}

// TestMedian takes the middle, and knows every figure of a result.
func TestMedian(t *testing.T) {
	t.Parallel()
	f := Figure{of: func(r *Result) float64 { return float64(r.Messages.Sent) }}
	var results []*Result
	for i, want := range []float64{5, 3, 5, 6} { // of 5; 5 1; 5 1 9; 5 1 9 7
		n := []int64{5, 1, 9, 7}[i]
		results = append(results, &Result{Messages: Account{Sent: n}})
		if m := Median(results, &f); m != want {
			t.Errorf("the median of %d is %v, want %v", i+1, m, want)
		}
	}
	if Median(nil, &f) != 0 {
		t.Error("of nothing there is a median")
	}
	phase := func(n float64) *Phase { return &Phase{1, n, n, n, n, n} }
	full := &Result{
		Fill: phase(1), Load: phase(2), Drain: phase(3), Confirm: Latency{1, 1, 1, 1, 1, 1, 1},
		EndToEnd: Latency{1, 1, 1, 1, 1, 1, 1}, Receive: Latency{1, 1, 1, 1, 1, 1, 1},
		Wake: Latency{1, 1, 1, 1, 1, 1, 1}, Messages: Account{1, 1, 1, 1, 1, 1, 1, 1},
		Server: &Server{Before: 1, Median: 1, Peak: 1},
	}
	for _, f := range Figures() {
		if f.Of(full) == 0 || f.Of(&Result{}) != 0 {
			t.Errorf("%s is %v, and without anything %v", f.Name, f.Of(full), f.Of(&Result{}))
		}
	}
}

// TestDisk appends at least once with each size, and leaves nothing.
func TestDisk(t *testing.T) {
	t.Parallel()
	list, err := Disk(t.TempDir(), []int{1, 4096}, 0)
	if err != nil || len(list) != 2 || list[0].Syncs <= 0 || list[1].Bytes <= 0 {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := Disk("/does/not/exist", []int{1}, 0); err == nil {
		t.Error("a directory that there is not was written to")
	}
}
