package amqp091

import (
	"math"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

const argPriority = "x-priority"

// checkConsumeArguments refuses what a consumer of q cannot have: a priority that
// is no number, and what only streams know. RabbitMQ takes no notice of others.
func checkConsumeArguments(t wire.Table, q *broker.Queue, owner string) error {
	if len(t) == 0 {
		return nil
	}
	if v, ok := t.Get(argPriority); ok {
		if wrong := integer(v, t); wrong != "" {
			return refuse(wire.PreconditionFailed, "invalid arg '%s' for %s: %s",
				argPriority, owner, wrong)
		}
	}
	for _, f := range t {
		switch f.Name {
		case "x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered":
			k := classic
			if isQuorum(q) {
				k = quorum
			}
			return refuse(wire.PreconditionFailed, "invalid arg '%s' for %s of queue type %s",
				f.Name, owner, k.module())
		}
	}
	return nil
}

// consumerPriority is that of checked arguments.
func consumerPriority(t wire.Table) int32 {
	v, _ := t.Get(argPriority)
	n, _ := v.Int64()
	return int32(min(max(n, math.MinInt32), math.MaxInt32))
}
