package bench

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"coffer/internal/bench"
)

// trial are the shapes that show that the harness works.
const trial = `^(4 publishers, 4 consumers, 4 queues|4000|backlog)`

// newSettings reads the settings. Without a suite little is measured.
func newSettings(t *testing.T) *settings {
	t.Helper()
	s, err := readSettings()
	check(t, err)
	if s.suite == "" {
		s.only = regexp.MustCompile(trial)
	}
	return &s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func cofferAt(binary string) starter {
	return func(ctx context.Context) (*running, error) { return startCoffer(ctx, binary, "") }
}

// TestTable measures RabbitMQ and Coffer in turn with every shape, and writes the table
// and the chart. Without COFFER_BENCH it measures Coffer beside itself for a moment.
func TestTable(t *testing.T) {
	s := newSettings(t)
	if s.suite != "" && s.suite != "table" {
		t.Skip("another suite is asked for")
	}
	other := startRabbitMQ
	if s.suite == "" {
		other = cofferAt(program)
	}
	var rows []row
	var idle []int64
	var generator, reached float64
	who := ""
	for _, shape := range shapes(s.backlog) {
		if !s.only.MatchString(shape.name) {
			continue
		}
		results, memory, err := beside(t.Context(), s, shape.load, other, cofferAt(program))
		check(t, err)
		judge(t, shape.name, results)
		now := rowsOf(&shape, results)
		fmt.Fprint(t.Output(), markdown(now))
		rows = append(rows, now...)
		if shape.name == mainShape {
			idle, who = memory, results[0][0].Broker
			for _, r := range now {
				switch r.want.figure {
				case "bench CPU":
					generator = r.coffer
				case "delivered":
					reached = r.coffer
				}
			}
		}
	}
	text := machine(who+" beside Coffer", s) + "\n" + markdown(rows)
	if idle != nil {
		text += fmt.Sprintf("\nMemory of an idle broker: RabbitMQ %.1f MiB, Coffer %.1f MiB "+
			"(wanted: at most 60).\n", float64(idle[0])/(1<<20), float64(idle[1])/(1<<20))
		text += costs(t, s, generator, reached)
	}
	fmt.Fprint(t.Output(), text)
	chart := bars(rows)
	wellFormed(t, chart)
	check(t, s.write("rabbitmq.md", text))
	check(t, s.write("rabbitmq.svg", chart))
}

// judge wants every message of every run accounted for.
func judge(t *testing.T, name string, results [][]*bench.Result) {
	t.Helper()
	for i, list := range results {
		for _, r := range list {
			if a := r.Messages; !a.Whole() || a.Refused != 0 {
				t.Errorf("%s, broker %d: %+v", name, i, a)
			}
		}
	}
}

// costs tells what a message cannot do without, and what sealing costs.
func costs(t *testing.T, s *settings, generator, reached float64) string {
	t.Helper()
	parts, err := budget(t.Context(), t.TempDir(), generator)
	check(t, err)
	for _, p := range parts {
		if p.micros <= 0 {
			t.Errorf("%s costs nothing", p.name)
		}
	}
	text := "\n" + budgetMarkdown(parts, runtime.NumCPU(), reached)
	if s.suite == "" {
		return text
	}
	unsealed, err := buildUnsealed(t.Context(), t.TempDir(), "coffer/cmd/coffer")
	check(t, err)
	main := shapes(s.backlog)[0]
	results, _, err := beside(t.Context(), s, main.load, cofferAt(unsealed), cofferAt(program))
	check(t, err)
	judge(t, "without sealing", results)
	return text + sealingMarkdown(rowsOf(&main, results))
}

// TestCliff finds a step that loses more than half, and only that.
func TestCliff(t *testing.T) {
	t.Parallel()
	found := cliff([]grown{
		{N: 1, Confirmed: 100, Delivered: 100}, {N: 10, Confirmed: 51, Delivered: 51},
		{N: 100, Confirmed: 10, Delivered: 42}, {N: 1000, Confirmed: 12, Delivered: 12},
		{N: 10_000, Confirmed: 500},
	})
	if len(found) != 1 || found[0] != "from 100 to 1000: from 26.0 to 12.0 a second" {
		t.Errorf("got %q", found)
	}
}

// TestVerdicts: the table says what was kept and what was missed.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	text := markdown([]row{
		{"fast", "/s", want{"delivered", 10, 0}, 10_000, 100_000},
		{"slow", "/s", want{"delivered", 10, 0}, 10_000, 99_000},
		{"late", "ms", want{"confirm p99", 0, 1}, 5, 5.5},
		{"known", "ms", want{"confirm p99", 0, 0}, 5, 5.5},
		{"nothing", "/s", want{"delivered", 1, 0}, 0, 5},
	})
	for _, line := range []string{
		"| fast | delivered, /s | 10000 | 100000 | 10.0 | at least 10 | kept |\n",
		"| slow | delivered, /s | 10000 | 99000 | 9.90 | at least 10 | **missed** |\n",
		"| late | confirm p99, ms | 5.00 | 5.50 | 1.10 | at most 1 | **missed** |\n",
		"| known | confirm p99, ms | 5.00 | 5.50 | 1.10 |  |  |\n",
		"| nothing | delivered, /s | 0.00 | 5.00 | 0.00 | at least 1 | **missed** |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	budget := budgetMarkdown([]part{{"a", 4}, {"b", 6}}, 2, 150_000)
	if !strings.Contains(budget, "2 cores allow 200000 messages a second of it; "+
		"150000 were reached, 75 %") {
		t.Error(budget)
	}
	sealing := sealingMarkdown([]row{
		{want: want{figure: "delivered"}, rabbitmq: 200_000, coffer: 190_000},
		{want: want{figure: "broker CPU"}, rabbitmq: 6.5, coffer: 7.5},
		{want: want{figure: "bench CPU"}, rabbitmq: 2, coffer: 2.5},
		{want: want{figure: "memory at most"}, rabbitmq: 100, coffer: 100},
	})
	for _, said := range []string{
		"nothing: 200000 messages", "with it 190000: sealing costs 5.0 % (",
		"generator: 8.50 and 10.0 µs, so sealing takes 15.0 %.",
	} {
		if !strings.Contains(sealing, said) {
			t.Errorf("%q is not in\n%s", said, sealing)
		}
	}
}

// wellFormed reads all of an XML document.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}
