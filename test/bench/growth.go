package bench

import (
	"fmt"
	"strings"

	"coffer/internal/bench"
)

// A step is one load of a growing series.
type step struct {
	n    int64
	load bench.Config
}

// A growth is what happens to the same load when there is more of one thing.
type growth struct {
	name  string
	steps []step
}

// inFlight is how many publishes all publishers may have unconfirmed, as long as each may
// have leastWindow: what comes alone costs more, whoever sends it.
const (
	inFlight    = 1024
	leastWindow = 16
)

// queuedSize is that of the messages of which there are ever more, in octets: so that ten
// million of them find room on a small machine.
const queuedSize = 100

// growths go up to 10 000 queues and connections in powers of ten, or less, and to most
// queued messages, which consumers work off while more come.
func growths(most int64) []growth {
	var queues, connections, backlog []step
	for n := int64(1); n <= min(most, 10_000); n *= 10 {
		queues = append(queues, step{n, bench.Config{Publishers: 4, Consumers: 4, Queues: int(n)}})
		connections = append(connections, step{n, bench.Config{
			Publishers: int(n), Consumers: 4, Queues: 4, Window: max(leastWindow, inFlight/int(n)),
		}})
	}
	for _, n := range []int64{0, most / 100, most / 10, most} {
		backlog = append(backlog, step{n, bench.Config{
			Publishers: 4, Consumers: 4, Queues: 4, Preload: n, Size: queuedSize,
		}})
	}
	return []growth{
		{"queues", queues}, {"publishing connections", connections},
		{fmt.Sprintf("queued messages of %d octets", queuedSize), backlog},
	}
}

// grown is what was measured of one step.
type grown struct {
	N         int64   `json:"n"`
	Confirmed float64 `json:"confirmed"` // per second
	Delivered float64 `json:"delivered"` // likewise
	P99       float64 `json:"p99"`       // milliseconds until the confirm
	Memory    float64 `json:"memory"`    // MiB at most
}

// grownOf takes it out of results.
func grownOf(n int64, results []*bench.Result) grown {
	g := grown{N: n}
	for _, f := range bench.Figures() {
		switch m := bench.Median(results, &f); f.Name {
		case "confirmed":
			g.Confirmed = m
		case "delivered":
			g.Delivered = m
		case "confirm p99":
			g.P99 = m
		case "memory at most":
			g.Memory = m
		}
	}
	return g
}

// moved is the throughput: who works off a backlog delivers more than is published, and
// takes the time for it from the publishers.
func (g *grown) moved() float64 { return (g.Confirmed + g.Delivered) / 2 }

// cliff tells of steps that lose more than half of the throughput before them.
func cliff(steps []grown) (found []string) {
	for i, g := range steps {
		if i == 0 {
			continue
		}
		before := &steps[i-1]
		if g.moved() < before.moved()/2 {
			found = append(found, fmt.Sprintf("from %d to %d: from %s to %s a second", before.N,
				g.N, number(before.moved()), number(g.moved())))
		}
	}
	return found
}

// growthMarkdown is the table of one growth, and whether there is a cliff.
func growthMarkdown(name string, steps []grown) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | confirmed a second | delivered a second | confirm p99, ms | "+
		"memory at most, MiB |\n| ---: | ---: | ---: | ---: | ---: |\n", name)
	for _, g := range steps {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %.0f |\n", g.N, number(g.Confirmed),
			number(g.Delivered), number(g.P99), g.Memory)
	}
	found := cliff(steps)
	for _, c := range found {
		fmt.Fprintf(&b, "\n**A cliff** %s.\n", c)
	}
	if len(found) == 0 {
		b.WriteString("\nNo step loses more than half.\n")
	}
	return b.String()
}

// panels are the lines of one growth: throughput and p99.
func panels(name string, steps []grown) []series {
	rate, late := series{name: "messages/s by " + name}, series{name: "confirm p99, ms, by " + name}
	for _, g := range steps {
		rate.points = append(rate.points, [2]float64{float64(g.N), g.moved()})
		late.points = append(late.points, [2]float64{float64(g.N), g.P99})
	}
	return []series{rate, late}
}
