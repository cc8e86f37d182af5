package bench

import (
	"context"
	"fmt"
	"slices"

	"coffer/internal/amqpclient"
)

// A Figure is one number of a Result.
type Figure struct {
	Name string
	Unit string
	// Less is better, as with latencies.
	Less bool
	of   func(*Result) float64
}

// Of gives the figure; 0 when the Result has none.
func (f *Figure) Of(r *Result) float64 { return f.of(r) }

// Figures are those that can be compared, in the order to show them.
func Figures() []Figure {
	phase := func(of func(*Result) *Phase, get func(*Phase) float64) func(*Result) float64 {
		return func(r *Result) float64 {
			if p := of(r); p != nil {
				return get(p)
			}
			return 0
		}
	}
	fill := func(r *Result) *Phase { return r.Fill }
	load := func(r *Result) *Phase { return r.Load }
	drain := func(r *Result) *Phase { return r.Drain }
	memory := func(get func(*Server) int64) func(*Result) float64 {
		return func(r *Result) float64 {
			if r.Server == nil {
				return 0
			}
			return float64(get(r.Server)) / (1 << 20)
		}
	}
	confirmed := func(p *Phase) float64 { return p.Confirmed }
	delivered := func(p *Phase) float64 { return p.Delivered }
	server := func(p *Phase) float64 { return p.ServerCPU }
	return []Figure{
		{"filled", "/s", false, phase(fill, confirmed)},
		{"confirmed", "/s", false, phase(load, confirmed)},
		{"delivered", "/s", false, phase(load, delivered)},
		{"drained", "/s", false, phase(drain, delivered)},
		{"confirm p50", "ms", true, func(r *Result) float64 { return r.Confirm.P50 / 1000 }},
		{"confirm p99", "ms", true, func(r *Result) float64 { return r.Confirm.P99 / 1000 }},
		{"confirm p99.9", "ms", true, func(r *Result) float64 { return r.Confirm.P999 / 1000 }},
		{"end to end p50", "ms", true, func(r *Result) float64 { return r.EndToEnd.P50 / 1000 }},
		{"end to end p99", "ms", true, func(r *Result) float64 { return r.EndToEnd.P99 / 1000 }},
		{"receive p50", "ms", true, func(r *Result) float64 { return r.Receive.P50 / 1000 }},
		{"receive p99", "ms", true, func(r *Result) float64 { return r.Receive.P99 / 1000 }},
		{"wake p50", "ms", true, func(r *Result) float64 { return r.Wake.P50 / 1000 }},
		{"wake p99", "ms", true, func(r *Result) float64 { return r.Wake.P99 / 1000 }},
		{"broker CPU, fill", "µs/message", true, phase(fill, server)},
		{"broker CPU", "µs/message", true, phase(load, server)},
		{"broker CPU, drain", "µs/message", true, phase(drain, server)},
		{"bench CPU", "µs/message", true,
			phase(load, func(p *Phase) float64 { return p.GeneratorCPU })},
		{"memory before", "MiB", true, memory(func(s *Server) int64 { return s.Before })},
		{"memory", "MiB", true, memory(func(s *Server) int64 { return s.Median })},
		{"memory at most", "MiB", true, memory(func(s *Server) int64 { return s.Peak })},
		{"twice", "", true, func(r *Result) float64 { return float64(r.Messages.Twice) }},
		{"lost", "", true, func(r *Result) float64 { return float64(r.Messages.Lost) }},
		{"refused", "", true, func(r *Result) float64 { return float64(r.Messages.Refused) }},
	}
}

// A Measure measures one server once.
type Measure func(ctx context.Context) (*Result, error)

// Of measures one broker with the load.
func (c Config) Of(broker amqpclient.Config) Measure {
	c.Target = broker
	return func(ctx context.Context) (*Result, error) { return Run(ctx, c) }
}

// Of measures one API with the load.
func (c SQSConfig) Of(api SQSTarget) Measure {
	c.Target = api
	return func(ctx context.Context) (*Result, error) { return RunSQS(ctx, c) }
}

// Compare measures several servers in turn, so that what else the machine does meets
// them alike, and gives the results of each. done, if not nil, hears of every result.
func Compare(
	ctx context.Context, servers []Measure, runs int, done func(server int, r *Result) error,
) ([][]*Result, error) {
	results := make([][]*Result, len(servers))
	for i := range runs {
		for n, measure := range servers {
			r, err := measure(ctx)
			if err == nil && done != nil {
				err = done(n, r)
			}
			if err != nil && runs*len(servers) > 1 {
				err = fmt.Errorf("run %d of server %d: %w", i+1, n+1, err)
			}
			if err != nil {
				return results, err
			}
			results[n] = append(results[n], r)
		}
	}
	return results, nil
}

// Median of a figure over results: the middle one, or the mean of the two.
func Median(results []*Result, f *Figure) float64 {
	list := make([]float64, len(results))
	for i, r := range results {
		list[i] = f.Of(r)
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}
