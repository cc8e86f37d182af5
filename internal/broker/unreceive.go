package broker

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"coffer/internal/fault"
)

// ReturnLeases ends leases as if the messages had not been received: nothing counts it. With
// aside they stay away from everybody for so long, in queues without groups and as far as
// a queue bounds that, so that what stands behind them can be received; EndAside ends it
// before. Results and errors are as of ExtendLeases.
func (n *Namespace) ReturnLeases(
	ctx context.Context, q *Queue, refs []LeaseRef, aside time.Duration,
) ([]LeaseResult, error) {
	if aside < 0 {
		return nil, fault.New(fault.Invalid, "messages put aside for %v", aside)
	}
	letter := &leaseLetter{unreceive: slices.Clone(refs), aside: aside}
	return n.tellLeases(ctx, q, len(refs), letter)
}

func (sh *shard) returnLease(q *Queue, ref LeaseRef, aside time.Duration) LeaseResult {
	x, result := sh.leaseOf(q, ref)
	if result != LeaseDone {
		return result
	}
	e := sh.unreceive(x)
	if aside == 0 || q.spec.Groups || !sh.setAside(e, milliseconds(aside)) {
		sh.back(e)
	}
	return LeaseDone
}

// Aside counts the messages of a queue that are kept from everybody after a release with
// a delay, or by ReturnLeases; with end they come back to their places now.
func (n *Namespace) Aside(ctx context.Context, q *Queue, end bool) (int, error) {
	a, err := n.shard.ask(ctx, request{kind: reqAside, q: q, flag: end})
	return a.count, err
}

func (sh *shard) aside(r *request) {
	st := &r.q.state
	n := 0
	for _, x := range st.leases.heap {
		if x.receipt == 0 {
			n++
			if r.flag {
				x.deadline = min(x.deadline, sh.time)
			}
		}
	}
	if r.flag && n > 0 { // lapse takes them in slices
		heap.Init(&st.leases.heap)
		sh.touch(r.q)
	}
	sh.say(false, answering(r.reply, reply{count: n}))
}
