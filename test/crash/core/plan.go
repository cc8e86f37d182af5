package core

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"coffer/internal/broker"
)

// Pull says how a queue is emptied.
type Pull uint8

// Pushed queues have a consumer, Taken ones are asked for one message at a time,
// Leased ones give messages under leases.
const (
	Pushed Pull = iota
	Taken
	Leased
)

// Queue is one queue of a round, and what is known of its rules.
type Queue struct {
	Name   string
	Spec   broker.QueueSpec
	Other  bool   // in the second namespace, in another shard
	Pull   Pull   // how it is drained
	Cold   bool   // nobody reads it before the drain
	Loose  bool   // messages do not keep their places
	DeadOf string // the queue whose dead letters come here
	Dead   string // where dead letters go; "": nowhere
	Purged bool   // it is purged or deleted under load
}

// Plan is one round. The same seed gives the same plan.
type Plan struct {
	Seed   uint64
	Prefix string // of the names of queues
	Quota  int    // confirmed messages before the kill
	Micro  int64  // and microseconds more
	Again  []int  // messages of the drain before a further kill
	Locks  bool   // the domain is locked now and then
	Window int    // which sizes of windows
	Queues []*Queue
}

// NewPlan makes up the round with that number.
func NewPlan(seed uint64, number int) *Plan {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	p := &Plan{
		Seed: rng.Uint64(), Prefix: fmt.Sprintf("r%d.", number),
		Quota: rng.IntN(1500), Micro: rng.Int64N(4000),
		Locks: rng.IntN(3) == 0, Window: rng.IntN(3),
	}
	if rng.IntN(4) == 0 {
		p.Quota /= 30 // within the first moments
	}
	if rng.IntN(2) == 0 {
		for range 1 + rng.IntN(2) {
			p.Again = append(p.Again, rng.IntN(p.Quota+10))
		}
	}
	p.plain()
	p.limited(rng)
	for _, q := range p.Queues {
		q.Spec.Name = q.Name
		if d := &q.Spec.Limits.Dead; q.Dead != "" {
			*d = broker.DeadLetter{Set: true, OwnKey: true, Key: q.Dead}
			if p.named(q.Dead).Other {
				d.Namespace = broker.NamespaceID{otherID}
			}
		}
	}
	return p
}

// add adds a durable queue.
func (p *Plan) add(name string, q Queue) *Queue {
	q.Name = p.Prefix + name
	q.Spec.Durable = true
	p.Queues = append(p.Queues, &q)
	return &q
}

// grave adds a queue for the dead letters of q.
func (p *Plan) grave(q *Queue) {
	q.Dead = q.Name + ".dead"
	name := strings.TrimPrefix(q.Dead, p.Prefix)
	p.add(name, Queue{Cold: true, Loose: true, DeadOf: q.Name})
}

// farGrave is grave in the second namespace, in another shard.
func (p *Plan) farGrave(q *Queue) {
	p.grave(q)
	p.Queues[len(p.Queues)-1].Other = true
}

// plain adds queues without limits.
func (p *Plan) plain() {
	p.add("cold", Queue{Cold: true, Spec: broker.QueueSpec{MaxPriority: 3}})
	p.add("fan1", Queue{Cold: true})
	p.add("fan2", Queue{Cold: true})
	p.add("fan3", Queue{Cold: true, Pull: Taken})
	p.add("work", Queue{Spec: broker.QueueSpec{MaxPriority: 2}})
	p.add("single", Queue{Spec: broker.QueueSpec{SingleActive: true}})
	p.add("group", Queue{Pull: Leased, Loose: true, Spec: broker.QueueSpec{Groups: true}})
	p.add("turns", Queue{Pull: Taken, Loose: true, Spec: broker.QueueSpec{Groups: true}})
	p.add("lease", Queue{Pull: Leased, Loose: true})
	p.add("delay", Queue{Cold: true, Loose: true})
	p.add("due", Queue{Loose: true, Spec: broker.QueueSpec{Limits: broker.Limits{Delay: 60}}})
	p.add("purge", Queue{Cold: true, Purged: true})
	p.add("again", Queue{Cold: true, Purged: true})
	p.add("once", Queue{Cold: true, Spec: broker.QueueSpec{
		Limits: broker.Limits{Dedup: 3_600_000},
	}})
	p.add("from", Queue{})
	p.add("to1", Queue{Cold: true})
	p.add("to2", Queue{Cold: true, Spec: broker.QueueSpec{MaxPriority: 1}})
	p.add("far", Queue{Cold: true, Other: true})
	p.add("memory", Queue{}).Spec.Durable = false
}

// limited adds queues with rules by which messages leave them.
func (p *Plan) limited(rng *rand.Rand) {
	limits := func(l broker.Limits) broker.QueueSpec { return broker.QueueSpec{Limits: l} }
	with := func(name string, q Queue) {
		made := p.add(name, q)
		switch rng.IntN(4) {
		case 0:
		case 1:
			p.farGrave(made)
		default:
			p.grave(made)
		}
	}
	with("expire", Queue{Pull: Taken, Cold: true})
	with("brief", Queue{Pull: Taken, Cold: true, Spec: limits(broker.Limits{
		Expiry: broker.AtMost(int64(1 + rng.IntN(400))),
	})})
	most := broker.AtMost(int64(1 + rng.IntN(80)))
	with("head", Queue{Cold: true, Spec: limits(broker.Limits{MaxLength: most})})
	with("full", Queue{Spec: limits(broker.Limits{
		MaxLength: most, Overflow: broker.RefusePublish + broker.Overflow(rng.IntN(2)),
	})})
	with("reject", Queue{Spec: limits(broker.Limits{Deliveries: broker.AtMost(2)})})
	with("worn", Queue{Pull: Leased, Loose: true, Spec: limits(broker.Limits{
		Deliveries: broker.AtMost(2),
	})})
}

// queue gives the queue with that name, without the prefix.
func (p *Plan) queue(name string) *Queue {
	return p.named(p.Prefix + name)
}

func (p *Plan) named(name string) *Queue {
	for _, q := range p.Queues {
		if q.Name == name {
			return q
		}
	}
	return nil
}

// The ids of the two namespaces.
const (
	hereID  = 7
	otherID = 8
)

func (p *Plan) String() string {
	return fmt.Sprintf("kill after %d confirms and %d µs, again after %v, locks %v, windows %d",
		p.Quota, p.Micro, p.Again, p.Locks, p.Window)
}
