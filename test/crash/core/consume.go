package core

import (
	"context"
	"fmt"
	"math/rand/v2"

	"coffer/internal/broker"
)

// habit is what a consumer does.
type habit struct {
	queue    *Queue
	credit   int
	every    int // deliveries settled at once, at most credit
	release  int // percent
	reject   int // percent
	leave    int // deliveries after which its session ends; 0: never
	priority int32
	delay    bool // releases are delayed
}

// habits makes up the consumers of a round.
func (c *child) habits(rng *rand.Rand) []habit {
	var all []habit
	for _, name := range []string{
		"work", "work", "single", "single", "memory", "due", "full", "reject",
	} {
		h := habit{queue: c.plan.queue(name), credit: []int{1, 10, 200}[rng.IntN(3)]}
		h.every = 1 + rng.IntN(min(h.credit, 40))
		h.release = []int{0, 5, 30}[rng.IntN(3)]
		h.leave = []int{0, 0, 100}[rng.IntN(3)]
		h.priority = rng.Int32N(2)
		if name == "reject" {
			h.reject, h.release = 30, 30
		}
		h.delay = name == "due" && rng.IntN(2) == 0
		all = append(all, h)
	}
	return all
}

// consumer is one session that reads a queue.
type consumer struct {
	*client
	habit
	rng    *rand.Rand // nil: it accepts all
	taker  int
	asked  int
	count  int
	drains bool // it takes all, alone
	held   []got
	answer map[uint64]map[Kind][]ID // settled before Sync, by its tag
}

// consume reads until a session fails.
func (c *child) consume(ctx context.Context, rng *rand.Rand, h habit) error {
	for {
		x := &consumer{
			client: c.client(c.in(h.queue)), habit: h, rng: rng, taker: c.journal.newTaker(),
			answer: map[uint64]map[Kind][]ID{},
		}
		x.asked = c.journal.note(Record{
			Kind: Asking, Queue: h.queue.Name, Taker: x.taker, N: h.credit,
		})
		_, err := x.Consume(ctx, broker.ConsumerSpec{
			Queue: c.queue(h.queue), Credit: h.credit, Replenish: true, Priority: h.priority,
		})
		for err == nil && (h.leave == 0 || x.count < h.leave) {
			err = x.handle(x.next())
		}
		if err != nil {
			return err
		}
		c.journal.note(Record{
			Kind: Leaving, Queue: h.queue.Name, Taker: x.taker, Asked: x.asked,
		})
		if err := x.Close(ctx); err != nil {
			return err
		}
		c.journal.note(Record{Kind: Left, Queue: h.queue.Name, Taker: x.taker})
	}
}

func (x *consumer) handle(events []broker.Event) error {
	var list []broker.Delivery
	for _, e := range events {
		switch e.Kind {
		case broker.Delivered:
			list = append(list, e.Delivery)
		case broker.Synced:
			if e.Err != nil {
				return fmt.Errorf("sync: %w", e.Err)
			}
			for k, ids := range x.answer[e.Tag] {
				x.note(k, ids)
			}
			delete(x.answer, e.Tag)
		case broker.Cancelled:
			return fmt.Errorf("the broker ended the consumer: %w", e.Err)
		}
	}
	all, err := x.opened(list)
	if err != nil {
		return err
	}
	for i := range all {
		r := all[i].record(x.taker, x.asked)
		r.Drains = x.drains
		x.child.journal.note(r)
		x.count++
		if x.held = append(x.held, all[i]); len(x.held) >= x.every {
			x.settle()
		}
	}
	return nil
}

// note writes a record of many messages.
func (x *consumer) note(k Kind, ids []ID) {
	for len(ids) > 0 {
		n := min(len(ids), mostIDs)
		x.child.journal.note(Record{
			Kind: k, Queue: x.queue.Name, Taker: x.taker, IDs: ids[:n],
		})
		ids = ids[n:]
	}
}

// settle ends what is held, one way or another, and asks for certainty.
func (x *consumer) settle() {
	asked := map[Kind][]ID{}
	var list []broker.Settlement
	answer := map[Kind][]ID{}
	for _, g := range x.held {
		s := broker.Settlement{Ref: g.d.Ref, Outcome: broker.Accept}
		k := Accepting
		n := 100
		if x.rng != nil {
			n = x.rng.IntN(100)
		}
		switch {
		case n < x.reject:
			s.Outcome, k = broker.Reject, Rejecting
		case n < x.reject+x.release:
			s.Outcome, k = broker.Release, Releasing
			if x.delay {
				s.Delay = x.rng.Int64N(100)
			}
		}
		asked[k] = append(asked[k], g.id)
		if k == Releasing {
			answer[Released] = append(answer[Released], g.id)
		} else {
			answer[Settled] = append(answer[Settled], g.id)
		}
		list = append(list, s)
	}
	for k, ids := range asked {
		x.note(k, ids)
	}
	x.Settle(list)
	x.held = x.held[:0]
	x.tag++
	x.answer[x.tag] = answer
	x.Sync(x.tag)
}

// settled waits until the broker has answered what was settled.
func (x *consumer) settled() error {
	for len(x.answer) > 0 {
		if err := x.handle(x.next()); err != nil {
			return err
		}
	}
	return nil
}

// get takes messages one by one. Each call is a taker of its own.
func (c *child) get(ctx context.Context, rng *rand.Rand, q *Queue) error {
	x := &consumer{
		client: c.client(c.in(q)), rng: rng, answer: map[uint64]map[Kind][]ID{},
		habit: habit{queue: q, release: 20},
	}
	for {
		ok, err := x.one(ctx)
		if err != nil {
			return err
		}
		if !ok {
			c.pause(1)
			continue
		}
		if rng.IntN(3) == 0 {
			c.pause(rng.Int64N(3)) // others ask meanwhile
		}
		x.settle()
		if err := x.settled(); err != nil {
			return err
		}
	}
}

// one takes one message, if there is one.
func (x *consumer) one(ctx context.Context) (bool, error) {
	j := x.child.journal
	if !x.drains || x.taker == 0 {
		x.taker = j.newTaker()
	}
	x.asked = j.note(Record{Kind: Asking, Queue: x.queue.Name, Taker: x.taker, N: 1})
	d, _, ok, err := x.Get(ctx, x.child.queue(x.queue), false)
	if err != nil && !locked(err) {
		return false, err
	}
	if ok && err == nil {
		all, err := x.opened([]broker.Delivery{d})
		if err != nil {
			return false, err
		}
		for i := range all {
			r := all[i].record(x.taker, x.asked)
			r.Drains = x.drains
			j.note(r)
			x.held = append(x.held, all[i])
		}
	}
	j.note(Record{Kind: Answered, Queue: x.queue.Name, Asked: x.asked})
	return len(x.held) > 0, nil
}
