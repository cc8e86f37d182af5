package bench

import (
	"fmt"

	"coffer/internal/bench"
)

// An sqsShape is one load and what is wanted of it.
type sqsShape struct {
	name  string
	load  bench.SQSConfig
	wants []sqsWant
}

// An sqsWant is a figure to show, what Coffer's may be beside ElasticMQ's and moto's,
// and at most by itself; 0: anything.
type sqsWant struct {
	figure                     string
	least, most, leastMoto, by float64
}

// sqsShapes are the table: messages of 1 KiB, one queue. Receivers begin when senders
// have ended, where nothing else is said.
func sqsShapes() (list []sqsShape) {
	for _, connections := range []int{16, 64} {
		for _, batch := range []int{1, 10} {
			name, least := "single messages", 1.5
			if batch > 1 {
				name, least = "batches of ten", 3
			}
			list = append(list, sqsShape{
				name: fmt.Sprintf("%d connections, %s", connections, name),
				load: bench.SQSConfig{Senders: connections, Receivers: connections, Batch: batch},
				wants: []sqsWant{
					{"confirmed", least, 0, 20, 0}, {"drained", least, 0, 20, 0},
					{"confirm p50", 0, 0, 0, 0}, {"confirm p99", 0, 0, 0, 0},
					{"receive p50", 0, 0, 0, 0}, {"receive p99", 0, 0, 0, 0},
					{"broker CPU", 0, 1. / 3, 0, 0}, {"broker CPU, drain", 0, 1. / 3, 0, 0},
					{"bench CPU", 0, 0, 0, 0}, {"memory at most", 0, 0, 0, 0},
					{"lost", 0, 0, 0, 0}, {"twice", 0, 0, 0, 0},
				},
			})
		}
	}
	return append(list, sqsShape{
		name: "64 long polls, 200 messages a second",
		load: bench.SQSConfig{Senders: 4, Receivers: 64, Together: true, Rate: 200, Wait: 20},
		wants: []sqsWant{{"wake p50", 0, 0, 0, 0}, {"wake p99", 0, 0, 0, 10},
			{"broker CPU", 0, 0, 0, 0}},
	})
}
