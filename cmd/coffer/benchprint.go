package main

import (
	"encoding/json"
	"fmt"
	"io"

	"coffer/internal/bench"
)

// benchReport is what `coffer bench --output json` prints.
type benchReport struct {
	Runs    []*bench.Result  `json:"runs"`
	Other   []*bench.Result  `json:"otherRuns,omitempty"` // of --compare, in turn with Runs
	Medians []benchMedian    `json:"medians,omitempty"`
	Disk    []bench.DiskRate `json:"disk,omitempty"`
}

type benchMedian struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	First float64 `json:"first"`
	Other float64 `json:"other"`
	Ratio float64 `json:"firstToOther"` // 0 when there is none
}

// compare fills the medians.
func (b *benchReport) compare() {
	for _, f := range bench.Figures() {
		m := benchMedian{
			Name: f.Name, Unit: f.Unit,
			First: bench.Median(b.Runs, &f), Other: bench.Median(b.Other, &f),
		}
		if m.First == 0 && m.Other == 0 {
			continue
		}
		if m.Other != 0 {
			m.Ratio = m.First / m.Other
		}
		b.Medians = append(b.Medians, m)
	}
}

func (b *benchReport) print(w io.Writer, output string) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(b)
	}
	var text []byte
	if len(b.Other) > 0 {
		text = fmt.Appendf(text, "\nmedians of %d runs, %s beside %s\n", len(b.Runs),
			b.Runs[0].Broker, b.Other[0].Broker)
	}
	for _, m := range b.Medians {
		text = fmt.Appendf(text, "%-18s %12.2f %12.2f %-11s %8.2f times\n", m.Name, m.First,
			m.Other, m.Unit, m.Ratio)
	}
	for _, d := range b.Disk {
		text = fmt.Appendf(text, "disk: %8.0f appends a second of %d octets, each synced "+
			"(%.1f MB/s)\n", d.Syncs, d.Batch, d.Bytes/1e6)
	}
	_, err := w.Write(text)
	return err
}

func printBench(w io.Writer, r *bench.Result) error {
	text := fmt.Appendf(nil, "%s\n", r.Broker)
	text = appendPhase(text, "fill", r.Fill)
	text = appendPhase(text, "load", r.Load)
	text = appendPhase(text, "drain", r.Drain)
	text = appendLatency(text, "confirm", r.Confirm)
	text = appendLatency(text, "receive", r.Receive)
	text = appendLatency(text, "through", r.EndToEnd)
	text = appendLatency(text, "wake", r.Wake)
	m := r.Messages
	text = fmt.Appendf(text, "%d sent, %d refused, %d received, %d lost, %d twice, "+
		"%d redelivered, %d out of order, %d foreign\n", m.Sent, m.Refused, m.Received, m.Lost,
		m.Twice, m.Redelivered, m.Misordered, m.Foreign)
	if s := r.Server; s != nil {
		text = fmt.Appendf(text, "%s (%d): %.1f MiB resident before, %.1f during, %.1f at most\n",
			s.Command, s.PID, mib(s.Before), mib(s.Median), mib(s.Peak))
	}
	_, err := w.Write(text)
	return err
}

func appendPhase(text []byte, name string, p *bench.Phase) []byte {
	if p == nil {
		return text
	}
	return fmt.Appendf(text, "%-7s %.1f s: %.0f published, %.0f confirmed, %.0f delivered "+
		"a second; CPU per message: %.1f µs broker, %.1f µs bench\n", name, p.Seconds,
		p.Published, p.Confirmed, p.Delivered, p.ServerCPU, p.GeneratorCPU)
}

func appendLatency(text []byte, name string, l bench.Latency) []byte {
	if l.Count == 0 {
		return text
	}
	return fmt.Appendf(text, "%-7s p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f of %d\n",
		name, l.P50/1000, l.P90/1000, l.P99/1000, l.P999/1000, l.Max/1000, l.Count)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
