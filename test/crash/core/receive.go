package core

import (
	"context"
	"math/rand/v2"
	"time"

	"coffer/internal/broker"
)

// receiver takes messages of a queue under leases. Each call is a taker of its
// own.
type receiver struct {
	*client
	queue *Queue
	taker int
	asked int
	held  []got
}

// receive takes messages, and extends, settles or forgets their leases.
func (c *child) receive(ctx context.Context, rng *rand.Rand, q *Queue) error {
	x := &receiver{client: c.client(c.in(q)), queue: q}
	for {
		lease := 20 + rng.Int64N(200)
		if err := x.call(ctx, 1+rng.IntN(10), lease, 10, false); err != nil {
			return err
		}
		if rng.IntN(8) == 0 {
			c.pause(rng.Int64N(60))
		}
		if rng.IntN(4) == 0 {
			if err := x.extend(ctx, rng.Int64N(150)); err != nil {
				return err
			}
		}
		if rng.IntN(6) == 0 {
			continue // the leases run out
		}
		n := rng.IntN(len(x.held) + 1)
		outcome := []broker.Outcome{broker.Accept, broker.Release, broker.Reject}[rng.IntN(3)]
		if err := x.settle(ctx, x.held[:n], broker.Accept, rng.IntN(2) == 0); err != nil {
			return err
		}
		if err := x.settle(ctx, x.held[n:], outcome, rng.IntN(2) == 0); err != nil {
			return err
		}
	}
}

// call receives once.
func (x *receiver) call(ctx context.Context, n int, lease, wait int64, drains bool) error {
	j, name := x.child.journal, x.queue.Name
	x.taker = j.newTaker()
	x.asked = j.note(Record{Kind: Asking, Queue: name, Taker: x.taker, N: n})
	list, err := x.Receive(ctx, broker.ReceiveSpec{
		Queue: x.child.queue(x.queue), Max: n,
		Lease: time.Duration(lease) * time.Millisecond,
		Wait:  time.Duration(wait) * time.Millisecond,
	})
	if locked(err) {
		x.child.pause(1)
	} else if err != nil {
		return err
	}
	x.held = x.held[:0]
	for i := range list {
		all, err := x.opened(list[i : i+1])
		if err != nil {
			return err
		}
		if len(all) == 0 {
			// What follows may be of its group and is not taken before it.
			j.note(Record{Kind: Unopened, Queue: name, N: len(list) - i})
			break
		}
		r := all[0].record(x.taker, x.asked)
		r.Span, r.Drains = lease, drains
		j.note(r)
		x.held = append(x.held, all[0])
	}
	j.note(Record{Kind: Answered, Queue: name, Asked: x.asked})
	return nil
}

func (x *receiver) extend(ctx context.Context, by int64) error {
	if len(x.held) == 0 {
		return nil
	}
	var list []broker.Extension
	for _, g := range x.held {
		list = append(list, broker.Extension{
			Ref: g.d.Lease, By: time.Duration(by) * time.Millisecond,
		})
	}
	kind := Extending
	if by == 0 {
		kind = Releasing
	}
	r := Record{Kind: kind, Queue: x.queue.Name, IDs: ids(x.held), Taker: x.taker, Span: by}
	x.child.journal.note(r)
	results, err := x.Namespace().ExtendLeases(ctx, x.child.queue(x.queue), list)
	if err != nil {
		return err
	}
	done := Extended
	if by == 0 {
		done = Released
	}
	x.answered(x.held, results, done)
	if by == 0 {
		x.held = x.held[:0]
	}
	return nil
}

// settle ends leases in one call.
func (x *receiver) settle(
	ctx context.Context, list []got, o broker.Outcome, late bool,
) error {
	if len(list) == 0 {
		return nil
	}
	var refs []broker.LeaseRef
	for _, g := range list {
		refs = append(refs, g.d.Lease)
	}
	kind := map[broker.Outcome]Kind{
		broker.Accept: Accepting, broker.Reject: Rejecting, broker.Release: Releasing,
	}[o]
	x.child.journal.note(Record{
		Kind: kind, Queue: x.queue.Name, IDs: ids(list), Taker: x.taker,
	})
	results, err := x.Namespace().SettleLeases(ctx, x.child.queue(x.queue), refs, o, late)
	if err != nil {
		return err
	}
	done := Settled
	if o == broker.Release {
		done = Released
	}
	x.answered(list, results, done)
	return nil
}

// answered notes what became of leases.
func (x *receiver) answered(list []got, results []broker.LeaseResult, done Kind) {
	var yes, no []ID
	for i, g := range list {
		if results[i] == broker.LeaseDone {
			yes = append(yes, g.id)
		} else {
			no = append(no, g.id)
		}
	}
	j := x.child.journal
	if len(yes) > 0 {
		j.note(Record{Kind: done, Queue: x.queue.Name, IDs: yes, Taker: x.taker})
	}
	if len(no) > 0 {
		j.note(Record{Kind: Unsettled, Queue: x.queue.Name, IDs: no, Taker: x.taker})
	}
}

func ids(list []got) (all []ID) {
	for _, g := range list {
		all = append(all, g.id)
	}
	return all
}
