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

// inFlight is how many publishes all publishers may have unconfirmed, however many they
// are, so that only their number grows.
const inFlight = 1024

// growths go up to 10 000 queues and connections in powers of ten, or less, and to most
// queued messages.
func growths(most int64) []growth {
	var queues, connections, backlog []step
	for n := int64(1); n <= min(most, 10_000); n *= 10 {
		queues = append(queues, step{n, bench.Config{Publishers: 4, Consumers: 4, Queues: int(n)}})
		connections = append(connections, step{n, bench.Config{
			Publishers: int(n), Consumers: 4, Queues: 4, Window: max(1, inFlight/int(n)),
		}})
	}
	for _, n := range []int64{0, most / 100, most / 10, most} {
		backlog = append(backlog, step{n, bench.Config{
			Publishers: 4, Consumers: 4, Queues: 4, Preload: n,
		}})
	}
	return []growth{
		{"queues", queues}, {"publishing connections", connections}, {"queued messages", backlog},
	}
}

// grown is what was measured of one step.
type grown struct {
	n              int64
	confirmed, p99 float64 // per second; milliseconds until the confirm
}

// cliff tells of steps that lose more than half of the throughput before them.
func cliff(steps []grown) (found []string) {
	for i, g := range steps {
		if i > 0 && g.confirmed < steps[i-1].confirmed/2 {
			found = append(found, fmt.Sprintf("from %d to %d: from %s to %s a second", steps[i-1].n,
				g.n, number(steps[i-1].confirmed), number(g.confirmed)))
		}
	}
	return found
}

// growthMarkdown is the table of one growth.
func growthMarkdown(name string, steps []grown) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | confirmed a second | confirm p99, ms |\n| ---: | ---: | ---: |\n", name)
	for _, g := range steps {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", g.n, number(g.confirmed), number(g.p99))
	}
	return b.String()
}

// panels are the lines of one growth: throughput and p99.
func panels(name string, steps []grown) []series {
	rate, late := series{name: "messages/s by " + name}, series{name: "confirm p99, ms, by " + name}
	for _, g := range steps {
		rate.points = append(rate.points, [2]float64{float64(g.n), g.confirmed})
		late.points = append(late.points, [2]float64{float64(g.n), g.p99})
	}
	return []series{rate, late}
}
