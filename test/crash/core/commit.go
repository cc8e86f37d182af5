package core

import (
	"context"
	"fmt"
	"math/rand/v2"

	"coffer/internal/broker"
)

// transactor accepts messages of one queue and publishes to others, all or
// nothing, some of it in another shard.
type transactor struct {
	*sender
	x     *consumer
	under []Record // commits that are not answered, in order
}

func (c *child) commit(ctx context.Context, rng *rand.Rand) error {
	q := c.plan.queue("from")
	t := &transactor{sender: c.newSender(c.here)}
	t.x = &consumer{
		client: t.client, taker: c.journal.newTaker(), answer: map[uint64]map[Kind][]ID{},
		habit: habit{queue: q, credit: 50, every: anyNumber},
	}
	t.x.asked = c.journal.note(Record{
		Kind: Asking, Queue: q.Name, Taker: t.x.taker, N: t.x.credit,
	})
	_, err := t.Consume(ctx, broker.ConsumerSpec{
		Queue: c.queue(q), Credit: t.x.credit, Replenish: true,
	})
	for n := 1; err == nil; n++ {
		tx := int(t.me)<<16 | n
		if len(t.under) < 4 && n < mostSent {
			err = t.begin(ctx, rng, tx)
		}
		for waits := true; err == nil && waits; {
			err = t.listen(t.next())
			waits = len(t.under) >= 4 || n >= mostSent || len(t.x.held) == 0 && rng.IntN(4) > 0 &&
				len(t.under) > 0
		}
	}
	return err
}

// begin hands one transaction to the broker.
func (t *transactor) begin(ctx context.Context, rng *rand.Rand, tx int) error {
	c := t.child
	var list broker.Transaction
	r := Record{
		Queue: t.x.queue.Name, Taker: t.x.taker, Facts: Facts{Tx: tx},
	}
	for _, g := range t.x.held[:min(len(t.x.held), rng.IntN(6))] {
		s := broker.Settlement{Ref: g.d.Ref, Outcome: broker.Accept}
		list.Settlements = append(list.Settlements, s)
		r.IDs = append(r.IDs, g.id)
	}
	t.x.held = t.x.held[len(r.IDs):]
	for range 1 + rng.IntN(5) {
		f := Facts{Tx: tx, Durable: true}
		for _, name := range []string{"to1", "to2", "far"} {
			if rng.IntN(2) == 0 {
				f.To = append(f.To, c.plan.Prefix+name)
			}
		}
		pub, err := t.prepare(f, size(rng, 5))
		if err != nil {
			return err
		}
		list.Publishings = append(list.Publishings, pub)
	}
	r.Kind = Committing
	c.journal.note(r)
	t.under = append(t.under, r)
	return t.Commit(ctx, list, uint64(tx))
}

func (t *transactor) listen(events []broker.Event) error {
	for _, e := range events {
		if e.Kind != broker.Committed {
			continue
		}
		r := t.under[0]
		t.under = t.under[1:]
		if e.Tag != uint64(r.Tx) {
			return fmt.Errorf("commit %d was answered in the place of %d", e.Tag, r.Tx)
		}
		if e.Err != nil {
			return fmt.Errorf("commit: %w", e.Err)
		}
		r.Kind, r.IDs = Committed, nil
		t.child.journal.note(r)
	}
	return t.x.handle(events)
}
