package broker

// gate is what of a queue with groups came since the start and is younger than
// Limits.Delay: messages of such a queue wait in their places, since one that came later
// must never be due earlier, whatever the delay was then. It only counts; who is due
// tells enqueued.
type gate struct {
	came  ring[arrivals] // in the order of time
	young int64          // messages in came
}

// arrivals are messages that came at one time.
type arrivals struct {
	at    int64 // domain time
	count int64
}

// maxArrivals bounds the times that are told apart: more are counted with the last.
const maxArrivals = 1024

// opens gives the domain time at which the gate lets e out.
func (q *Queue) opens(e *entry) int64 {
	if !q.spec.Groups {
		return 0
	}
	return later(e.enqueued, q.state.limits.Delay)
}

// note counts a message that came.
func (g *gate) note(q *Queue, at int64) {
	if n := g.came.len(); n > 0 && (n == maxArrivals || g.came.at(n-1).at >= at) {
		g.came.at(n-1).count++
	} else {
		g.came.pushBack(arrivals{at, 1})
	}
	g.young++
	q.young.Store(g.young)
}

// lookAtGate forgets those that are old enough, and has the owner look again when the
// next are.
func (sh *shard) lookAtGate(q *Queue) {
	g := &q.state.gate
	if g.young == 0 {
		return
	}
	clock := &q.namespace.clock
	now := clock.now(sh.time)
	for g.came.len() > 0 {
		first := g.came.at(0)
		if open := later(first.at, q.state.limits.Delay); open > now {
			sh.wakeAt(q, clock.shardTime(open))
			break
		}
		g.young -= first.count
		g.came.popFront()
	}
	q.young.Store(g.young)
}
