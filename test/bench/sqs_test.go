package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"coffer/internal/bench"
)

// TestSQS measures moto, ElasticMQ and Coffer in turn with every shape, and writes the
// table. Without COFFER_BENCH it measures Coffer beside itself for a moment.
func TestSQS(t *testing.T) {
	s := newSettings(t)
	if s.suite != "" && s.suite != "sqs" {
		t.Skip("another suite is asked for")
	}
	peers := os.Getenv("COFFER_BENCH_PEERS")
	starters := []sqsStarter{moto(peers), elasticMQ(peers), cofferSQS(program)}
	if s.suite == "" {
		c := cofferSQS(program)
		starters = []sqsStarter{c, c, c}
	}
	var all []*runningSQS
	for _, start := range starters {
		r, err := start(t.Context())
		check(t, err)
		defer func() { check(t, r.stop()) }()
		all = append(all, r)
	}
	if s.suite != "" {
		check(t, warmUp(t.Context(), all[1:]))
	}
	var rows []sqsRow
	for _, shape := range sqsShapes() {
		if s.suite == "" && !strings.HasPrefix(shape.name, "16 connections, batches") ||
			s.suite != "" && !s.only.MatchString(shape.name) {
			continue
		}
		now := measureSQS(t, s, &shape, all)
		fmt.Fprint(t.Output(), sqsMarkdown(now))
		rows = append(rows, now...)
	}
	text := machine("moto and ElasticMQ (in memory, without TLS) beside Coffer", s) + "\n" +
		sqsMarkdown(rows) + fmt.Sprintf(
		"\nMemory before the load: moto %.1f MiB, ElasticMQ %.1f, Coffer %.1f.\n",
		float64(all[0].idle)/(1<<20), float64(all[1].idle)/(1<<20), float64(all[2].idle)/(1<<20))
	fmt.Fprint(t.Output(), text)
	check(t, s.write("sqs.md", text))
}

// warmUp loads each server with single messages and with batches: a Java server compiles
// what it runs for its first minute, and takes half as much for a message afterwards.
func warmUp(ctx context.Context, all []*runningSQS) error {
	for _, r := range all {
		for _, batch := range []int{1, 10} {
			_, err := bench.RunSQS(ctx, bench.SQSConfig{
				Target: r.to, Senders: 16, Receivers: 16, Batch: batch, Duration: 15 * time.Second})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measureSQS measures one shape: first each server for a while, then all of them in turn.
func measureSQS(t *testing.T, s *settings, shape *sqsShape, all []*runningSQS) []sqsRow {
	t.Helper()
	load := shape.load
	load.Warmup, load.Duration = s.warmup, s.duration
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var measures []bench.Measure
	for _, r := range all {
		measures = append(measures, load.Of(r.to))
	}
	if s.suite != "" {
		_, err := bench.Compare(ctx, measures, 1, nil)
		check(t, err)
	}
	results, err := bench.Compare(ctx, measures, s.runs, nil)
	check(t, err)
	judge(t, shape.name, results[2:]) // what the others lose is in the table
	null, err := bench.NullSQS(ctx, load)
	check(t, err)
	return sqsRows(shape, results, null)
}

// BenchmarkSQS measures a node within this process, so that -cpuprofile shows it, and the
// generator: sending and receiving, one by one and in batches of ten.
func BenchmarkSQS(b *testing.B) {
	env := startInside(b)
	to, err := bench.SQSTargetFrom(func(name string) string { return env[name] })
	if err != nil {
		b.Fatal(err)
	}
	for _, batch := range []int{1, 10} {
		load := bench.SQSConfig{Target: to, Senders: 16, Receivers: 16, Batch: batch,
			Warmup: 100 * time.Millisecond, Duration: time.Second}
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			var sent, received []float64
			for b.Loop() {
				r, err := bench.RunSQS(b.Context(), load)
				if err != nil || !r.Messages.Whole() {
					b.Fatal(r, err)
				}
				sent = append(sent, r.Load.GeneratorCPU)
				received = append(received, r.Drain.GeneratorCPU)
			}
			b.ReportMetric(median(sent), "cpu-µs/sent")
			b.ReportMetric(median(received), "cpu-µs/received")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// TestSQSVerdicts: the table says what was kept and what was missed.
func TestSQSVerdicts(t *testing.T) {
	t.Parallel()
	text := sqsMarkdown([]sqsRow{
		{"fast", "/s", sqsWant{"confirmed", 1.5, 0, 20, 0}, 900, 10, 200, 300},
		{"slow", "/s", sqsWant{"confirmed", 1.5, 0, 20, 0}, 900, 10, 201, 300},
		{"as moto", "/s", sqsWant{"drained", 1.5, 0, 20, 0}, 900, 16, 200, 300},
		{"dear", "µs", sqsWant{"broker CPU", 0, .25, 0, 0}, 0, 0, 100, 26},
		{"late", "ms", sqsWant{"wake p99", 0, 0, 0, 10}, 0, 0, 0, 10.5},
		{"known", "ms", sqsWant{"receive p99", 0, 0, 0, 0}, 1, 2, 4, 8},
	})
	for _, line := range []string{
		"| fast | sent, /s | 900 | 10.0 | 200 | 300 | 1.50 | at least 1.50 times ElasticMQ, " +
			"at least 20.0 times moto | kept |\n",
		"| slow | sent, /s | 900 | 10.0 | 201 | 300 | 1.49 | at least 1.50 times ElasticMQ, " +
			"at least 20.0 times moto | **missed** |\n",
		"| as moto | received and deleted, /s | 900 | 16.0 | 200 | 300 | 1.50 | at least 1.50 " +
			"times ElasticMQ, at least 20.0 times moto | **missed** |\n",
		"| dear | server CPU, send, µs | 0.00 | 0.00 | 100 | 26.0 | 0.26 | at most 0.25 of " +
			"ElasticMQ | **missed** |\n",
		"| late | from the send's answer to the receiver, p99, ms | 0.00 | 0.00 | 0.00 | 10.5 | " +
			" | at most 10.0 | **missed** |\n",
		"| known | receive p99, ms | 1.00 | 2.00 | 4.00 | 8.00 | 2.00 |  |  |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
}
