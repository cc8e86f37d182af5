package sqs

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is one round: its queues, who works on them, and when the process is killed.
type plan struct {
	plain, sealed, ordered, groups *queue // groups: ordered within each group
	poison, dead, graves, landing  *queue
	purged, doomed                 *queue

	queues    []*queue // in the order of their creation
	senders   []sender
	receivers []receiver
	quota     int // answers that bind before the kill
	delay     time.Duration
	again     int // of the drain before a second kill; 0: none
	chores    int // answers before a task, a purge and a deletion
}

type sender struct {
	seed   uint64
	queue  *queue
	groups []string // of its own; one without a name of a standard queue
	batch  int      // most messages of a request
}

type receiver struct {
	seed    uint64
	queue   *queue
	release int // percent of messages that are given back
	forget  int // percent that it does nothing about
	change  int // percent whose timeout is set anew before they are deleted
}

// newPlan makes a round up. The prefix keeps the names of rounds apart.
func newPlan(rng *rand.Rand, prefix string) *plan {
	p := &plan{
		quota: 50 + rng.IntN(1500), delay: time.Duration(rng.Int64N(4000)) * time.Microsecond,
	}
	p.chores = rng.IntN(p.quota)
	if rng.IntN(4) == 0 {
		p.again = 1 + rng.IntN(200)
	}
	add := func(name string) *queue {
		q := &queue{name: prefix + name, visibility: time.Duration(1+rng.IntN(3)) * time.Second}
		p.queues = append(p.queues, q)
		return q
	}
	p.plain, p.sealed = add("plain"), add("sealed")
	p.purged, p.doomed = add("purged"), add("doomed")
	p.ordered, p.groups = add("ordered.fifo"), add("groups.fifo")
	p.dead, p.graves = add("dead"), add("graves")
	p.poison, p.landing = add("poison"), add("landing")
	p.sealed.sealed, p.ordered.fifo, p.groups.fifo = true, true, true
	p.poison.dead, p.poison.most = p.dead, 1+rng.IntN(3)
	p.graves.landing = p.landing
	p.landing.dead, p.landing.most = p.graves, 1000 // a task takes from such a queue only
	for _, q := range []*queue{p.plain, p.plain, p.sealed, p.poison, p.graves, p.purged, p.doomed} {
		p.senders = append(p.senders, sender{
			seed: rng.Uint64(), queue: q, groups: []string{""}, batch: 1 + rng.IntN(10),
		})
	}
	for i := range 4 {
		s := sender{seed: rng.Uint64(), queue: p.ordered, batch: 1 + rng.IntN(10)}
		if i%2 == 0 {
			s.queue = p.groups
		}
		for n := range 1 + rng.IntN(3) {
			s.groups = append(s.groups, fmt.Sprint("g", i, "-", n))
		}
		p.senders = append(p.senders, s)
	}
	for _, q := range []*queue{
		p.plain, p.plain, p.sealed, p.poison, p.poison, p.dead, p.landing,
		p.ordered, p.ordered, p.groups, p.groups,
	} {
		r := receiver{
			seed: rng.Uint64(), queue: q, release: []int{0, 5, 20}[rng.IntN(3)],
			forget: rng.IntN(3), change: []int{0, 10}[rng.IntN(2)],
		}
		if q == p.poison {
			r.release = 60
		}
		p.receivers = append(p.receivers, r)
	}
	return p
}

func (p *plan) String() string {
	return fmt.Sprintf("kill after %d answers and %v, chores after %d, again after %d",
		p.quota, p.delay, p.chores, p.again)
}

// attributes are those that a queue is made with.
func (q *queue) attributes(key string) object {
	set := object{"VisibilityTimeout": fmt.Sprint(int(q.visibility / time.Second))}
	if q.fifo {
		set["FifoQueue"] = "true"
	}
	if q.sealed {
		set["KmsMasterKeyId"] = key
	}
	if q.dead != nil {
		set["RedrivePolicy"] = fmt.Sprintf(
			`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, q.dead.arn, q.most)
	}
	return set
}
