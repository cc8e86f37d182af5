package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/bench"
	"coffer/internal/node"
	"coffer/test/process"
)

// program is the built coffer.
var program string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &program)) }

func newBody(t testing.TB) []byte {
	t.Helper()
	body := make([]byte, bodySize)
	rand.Read(body)
	return body
}

// serve runs the binary until the end of the benchmark.
func serve(t testing.TB) *target {
	t.Helper()
	p, err := process.Start(t.Context(), program, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	env, err := p.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &target{amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}, pairs}
}

// serveInside runs a node in this process, for profiles.
func serveInside(t testing.TB) *target {
	t.Helper()
	env := startInside(t)
	return &target{amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}, pairs}
}

// startInside gives what clients need of a node in this process.
func startInside(t testing.TB) map[string]string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	n, err := node.Start(t.Context(), node.Config{
		Data: data, AutoPorts: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	list, err := node.Env(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, v := range list {
		env[v.Name] = v.Value
	}
	return env
}

// measure gives how many messages a second pass with the load of pairs.
func measure(t testing.TB, to *target) float64 {
	t.Helper()
	r, err := bench.Run(t.Context(), bench.Config{
		Target: to.Config, Publishers: pairs, Consumers: pairs, Queues: to.queues, Size: bodySize,
		Window: window, Prefetch: window, AckEvery: ackEvery,
		Warmup: 100 * time.Millisecond, Duration: 500 * time.Millisecond,
	})
	if err != nil || !r.Messages.Whole() {
		t.Fatal(r, err)
	}
	return r.Load.Delivered
}

// measureLibrary moves n messages with a client as applications use it, and gives how
// many that were per second.
func measureLibrary(t testing.TB, to *target, body []byte, n int) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := declare(ctx, to); err != nil {
		t.Fatal(err)
	}
	var begin time.Time
	err := run(ctx, to, body, n/pairs, func() { begin = time.Now() })
	if err != nil {
		t.Fatal(err)
	}
	return float64(n/pairs*pairs) / time.Since(begin).Seconds()
}

// median of figures, which it sorts.
func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// column is one thing that is measured.
type column struct {
	name    string
	unit    string
	rate    func() float64 // messages per second
	figures []float64
}

// BenchmarkThroughput measures the binary and the store in turn, so that what
// else the machine does meets them alike.
func BenchmarkThroughput(b *testing.B) {
	body := newBody(b)
	to := serve(b)
	one := *to
	one.queues = 1
	r, err := openRaw(b.Context(), b.TempDir(), body)
	if err != nil {
		b.Fatal(err)
	}
	defer r.engine.Close()
	var storeCPU float64
	columns := []*column{
		{name: "raw store", unit: "store/s", rate: func() float64 {
			begin, used := time.Now(), cpuUsed()
			if err := r.run(messages); err != nil {
				b.Fatal(err)
			}
			storeCPU = used(messages)
			return messages / time.Since(begin).Seconds()
		}},
		{name: "broker, 4 queues", unit: "broker/s", rate: func() float64 {
			return measure(b, to)
		}},
		{name: "broker, 1 queue", unit: "broker-1q/s", rate: func() float64 {
			return measure(b, &one)
		}},
		{name: "broker, amqp091-go", unit: "broker-go/s", rate: func() float64 {
			return measureLibrary(b, to, body, messages/4)
		}},
	}
	for _, c := range columns {
		c.rate() // warm
	}
	for b.Loop() {
		for _, c := range columns {
			c.figures = append(c.figures, c.rate())
		}
	}
	report(b, columns)
	b.ReportMetric(storeCPU, "store-cpu-µs/message")
}

func report(b *testing.B, columns []*column) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%d+%d connections over TLS, %d octets, persistent, confirmed and acked\n",
		pairs, pairs, bodySize)
	fmt.Fprintf(&text, "%-20s %12s %12s %12s  messages per second of %d rounds\n",
		"", "median", "least", "most", len(columns[0].figures))
	for _, c := range columns {
		m := median(c.figures)
		b.ReportMetric(m, c.unit)
		fmt.Fprintf(&text, "%-20s %12.0f %12.0f %12.0f\n",
			c.name, m, c.figures[0], c.figures[len(c.figures)-1])
	}
	b.ReportMetric(median(columns[1].figures)/median(columns[0].figures), "broker/store")
	b.ReportMetric(0, "ns/op")
	b.Log("\n" + text.String())
}

// BenchmarkPublishConsumeTLS measures a node within this process, so that
// -cpuprofile shows it, and the generator.
func BenchmarkPublishConsumeTLS(b *testing.B) {
	to := serveInside(b)
	measure(b, to)
	var figures []float64
	for b.Loop() {
		figures = append(figures, measure(b, to))
	}
	b.ReportMetric(median(figures), "messages/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstStart measures from the start of the process on a new directory
// until it serves. It must be below one second.
func BenchmarkFirstStart(b *testing.B) {
	benchmarkStart(b, func() string { return filepath.Join(b.TempDir(), "data") })
}

// BenchmarkStart measures later starts with empty queues. They must be below
// 300 milliseconds.
func BenchmarkStart(b *testing.B) {
	data := filepath.Join(b.TempDir(), "data")
	b.Run("stopped", func(b *testing.B) { benchmarkStart(b, func() string { return data }) })
	b.Run("killed", func(b *testing.B) { benchmarkStart(b, func() string { return data }) })
}

func benchmarkStart(b *testing.B, dir func() string) {
	killed := filepath.Base(b.Name()) == "killed"
	var figures []float64
	for b.Loop() {
		p, err := process.Start(b.Context(), program, dir())
		if err != nil {
			b.Fatal(err)
		}
		figures = append(figures, float64(p.Started().Microseconds())/1000)
		if killed {
			err = p.Kill()
		} else {
			err = p.Stop()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(median(figures), "ms/start")
	b.ReportMetric(figures[len(figures)-1], "ms/slowest")
	b.ReportMetric(0, "ns/op")
}
