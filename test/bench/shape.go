package bench

import (
	"fmt"

	"coffer/internal/bench"
)

// A shape is one load and what is wanted of it.
type shape struct {
	name  string
	load  bench.Config
	wants []want
}

// A want is a figure to show, and what Coffer's may be beside RabbitMQ's; 0: anything.
type want struct {
	figure      string
	least, most float64
}

func (w *want) met(ratio float64) bool {
	return ratio >= w.least && (w.most == 0 || ratio <= w.most)
}

func (w *want) String() string {
	switch {
	case w.least > 0:
		return fmt.Sprintf("at least %g", w.least)
	case w.most > 0:
		return fmt.Sprintf("at most %g", w.most)
	}
	return ""
}

// delivered is the figure that most shapes are about.
func delivered(least float64) want { return want{figure: "delivered", least: least} }

// mainShape is the load that the others are variants of.
const mainShape = "4 publishers, 4 consumers, 4 queues"

// shapes are the table: 1 KiB persistent messages, confirmed in windows of 256, where
// nothing else is said.
func shapes(backlog int64) []shape {
	load := func(publishers, consumers, queues int) bench.Config {
		return bench.Config{Publishers: publishers, Consumers: consumers, Queues: queues}
	}
	of := func(c bench.Config, change func(*bench.Config)) bench.Config {
		change(&c)
		return c
	}
	four := load(4, 4, 4)
	return []shape{
		{mainShape, four, []want{
			delivered(10), {"broker CPU", 0, 0.125}, {"memory at most", 0, 0.5},
			{"confirm p99", 0, 0}, {"end to end p99", 0, 0}, {"bench CPU", 0, 0},
		}},
		{"4 publishers, 4 consumers, 1 queue", load(4, 4, 1), []want{delivered(8)}},
		{"1 publisher, 1 consumer", load(1, 1, 1), []want{delivered(8)}},
		{"one message at a time", of(load(1, 1, 1), func(c *bench.Config) { c.Window = 1 }),
			[]want{{"confirm p50", 0, 0.5}, {"end to end p50", 0, 0.5}, {"confirm p99", 0, 0}}},
		{"4000 messages a second offered", of(four, func(c *bench.Config) { c.Rate = 4000 }),
			[]want{{"confirm p99", 0, 1}, {"end to end p99", 0, 0}, {"broker CPU", 0, 0}}},
		{"100 octets", of(four, func(c *bench.Config) { c.Size = 100 }), []want{delivered(1)}},
		{"16 KiB", of(four, func(c *bench.Config) { c.Size = 16 << 10 }), []want{delivered(1)}},
		{"1 MiB", of(four, func(c *bench.Config) {
			c.Size, c.Window, c.Prefetch = 1<<20, 16, 16
		}), []want{delivered(1)}},
		{"fan-out to 10 queues", of(load(4, 10, 10), func(c *bench.Config) { c.Fanout = true }),
			[]want{delivered(1)}},
		{fmt.Sprint("backlog of ", backlog),
			of(four, func(c *bench.Config) { c.Preload = backlog }),
			[]want{{"filled", 1, 0}, {"drained", 1, 0}, {"memory at most", 0, 0}}},
		// More would be in flight than RabbitMQ confirms in the time of a measurement.
		{"1000 publishers, windows of 16", of(load(1000, 4, 4), func(c *bench.Config) {
			c.Window = 16
		}), []want{{"confirmed", 1, 0}, delivered(1), {"confirm p99", 0, 0}}},
		{"transient", of(four, func(c *bench.Config) { c.Transient = true }), []want{delivered(1)}},
	}
}
