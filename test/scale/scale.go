// Package scale measures what Coffer does when there is much of everything: one
// queue of millions of messages, ten thousand queues, ten thousand idle
// connections, a million messages that expire at once beside a load; and the first two
// of SQS.
//
//	make scale                    # up to a million messages
//	make scale LENGTH=10000000    # up to ten million; needs 10 GB of disk
//
// It prints Markdown tables and fails when a bound of the requirements is not
// kept. Without COFFER_SCALE it runs small, in seconds, and judges only what does
// not depend on the machine: that all is there, in order, and none is lost.
package scale

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Bounds that the requirements name; they are judged in a measurement only.
const (
	maxFirst  = 2 * time.Second // start of the process to the first delivery
	maxGrowth = 1.10            // resident memory of ten times the messages
)

// small is the length of the longest queue without COFFER_SCALE, and many the
// number of queues and connections.
const (
	small = 50_000
	many  = 300
)

// plan says how much there is of everything.
type plan struct {
	measured    bool  // by COFFER_SCALE: bounds are judged
	lengths     []int // messages of the one queue, ascending
	restarts    int   // looks at each length, after a stop and after kill -9
	queues      int
	connections int
	expiring    int // messages that expire at once
}

// newPlan makes the plan for the longest queue that COFFER_SCALE names.
func newPlan() (plan, error) {
	text := os.Getenv("COFFER_SCALE")
	if text == "" {
		return plan{
			lengths: []int{small / 10, small}, restarts: 1, queues: many, connections: many / 3,
			expiring: small,
		}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < small {
		return plan{}, fmt.Errorf("COFFER_SCALE is %q: not a number of messages, %d or more",
			text, small)
	}
	p := plan{
		measured: true, restarts: 9, queues: 10_000, connections: 10_000,
		expiring: min(n, 1_000_000),
	}
	for _, length := range []int{n / 100, n / 10, n} {
		if length >= small {
			p.lengths = append(p.lengths, length)
		}
	}
	return p, nil
}
