package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/bench"
	"coffer/test/process"
)

// rotations are other platform keys of a process, one after another.
type rotations struct {
	data string
	took []time.Duration // until all was sealed under the new one
}

// command runs one of the binary on the data directory, which must succeed.
func (r *rotations) command(ctx context.Context, args ...string) (string, error) {
	out, err := process.Run(ctx, program, append(args, "--data", r.data)...)
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("coffer %s: %s", strings.Join(args, " "), out.Err)
	}
	return out.Out, err
}

// askEvery is how far apart the questions are whether all is sealed: each is a process.
const askEvery = 250 * time.Millisecond

// once goes over to another key, and returns when all is sealed under it.
func (r *rotations) once(ctx context.Context) error {
	begun := time.Now()
	if _, err := r.command(ctx, "platform", "rotate"); err != nil {
		return err
	}
	look := time.NewTicker(askEvery)
	defer look.Stop()
	for range look.C {
		text, err := r.command(ctx, "root", "status")
		if err != nil {
			return err
		}
		if !strings.Contains(text, "is being sealed anew") {
			r.took = append(r.took, time.Since(begun))
			return nil
		}
	}
	return nil
}

// BenchmarkPlatformRotation publishes at a rate beside a backlog that is sealed anew under
// another platform key again and again, and without that, in turn.
//
//	go test ./test/bench -run '^$' -bench PlatformRotation -benchtime 3x
func BenchmarkPlatformRotation(b *testing.B) {
	const backlog, rate, most = 200_000, 2000, 12 // so many keys are there at once
	data := filepath.Join(b.TempDir(), "data")
	p, err := process.Start(b.Context(), program, data)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(); err != nil {
			b.Error(err)
		}
	})
	env, err := p.Env(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	load := bench.Config{
		Target:     amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]},
		Publishers: 4, Queues: 4, Preload: backlog, Rate: rate, Window: 16,
		Warmup: time.Second, Duration: 3 * time.Second,
	}
	r := &rotations{data: data}
	results := map[bool][]*bench.Result{}
	for b.Loop() {
		for _, rotate := range []bool{false, true} {
			var done atomic.Bool
			var beside sync.WaitGroup
			var failed error
			beside.Go(func() {
				for rotate && !done.Load() && failed == nil && len(r.took) < most {
					failed = r.once(b.Context())
				}
			})
			one, err := bench.Run(b.Context(), load)
			done.Store(true)
			beside.Wait()
			if err := errors.Join(err, failed); err != nil {
				b.Fatal(err)
			}
			results[rotate] = append(results[rotate], one)
		}
	}
	for _, f := range bench.Figures() {
		if f.Name == "confirm p50" || f.Name == "confirm p99" {
			unit := strings.ReplaceAll(f.Name, " ", "-")
			b.ReportMetric(bench.Median(results[false], &f), "ms-"+unit)
			b.ReportMetric(bench.Median(results[true], &f), "ms-"+unit+"-rotating")
		}
	}
	var sum time.Duration
	for _, took := range r.took {
		sum += took
	}
	b.ReportMetric(float64(len(r.took)), "rotations")
	b.ReportMetric(sum.Seconds()/float64(max(1, len(r.took))), "s/rotation")
	b.ReportMetric(0, "ns/op")
}
