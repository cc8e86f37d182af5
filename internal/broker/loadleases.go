package broker

import (
	"errors"
	"fmt"

	"coffer/internal/store"
)

// loadLeases puts the messages of a queue that is being opened, which were under
// leases when the process ended, back under them. The lanes are as their record
// says; nothing else knows the queue.
func (sh *shard) loadLeases(q *Queue) (err error) {
	snap := sh.store.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	// Not the owner's place: this is another goroutine.
	p := place{platform: sh.place.platform, shard: sh.id}
	for _, l := range q.state.lanes {
		err := l.loadLeases(snap, &p)
		if errors.Is(err, store.ErrDamaged) {
			q.state.damaged = fmt.Errorf("queue %x of shard %d: %w", uint64(q.id), sh.id, err)
			sh.log.Error("queue cannot be read", "err", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) loadLeases(snap store.Snapshot, p *place) (err error) {
	id := l.queue.id
	lower := sideKey(nil, classDurable, id, kindLease, l.priority, l.first)
	upper := sideKey(nil, classDurable, id, kindLease, l.priority, l.queue.state.next)
	it := snap.Iter(lower, upper)
	defer func() { err = errors.Join(err, it.Close()) }()
	var plain []byte
	for it.Next() {
		_, _, _, seq, err := parseSideKey(it.Key(), kindLease)
		if err != nil {
			return err
		}
		if plain, err = p.open(plain[:0], it.Key(), it.Value()); err != nil {
			return err
		}
		row, err := parseLeaseRow(plain)
		if err != nil {
			return fmt.Errorf("%w: key %x: %w", store.ErrDamaged, it.Key(), err)
		}
		if l.gap.count == 0 {
			return fmt.Errorf("%w: queue %x has more leases than messages", store.ErrDamaged,
				uint64(id))
		}
		l.restoreLease(seq, &row)
	}
	if l.gap.count == 0 {
		l.gap, l.early = gap{}, nil
	}
	return it.Err()
}

// restoreLease takes a message out of the gap and puts it under its lease.
func (l *lane) restoreLease(seq uint64, row *leaseRow) {
	q := l.queue
	e := &entry{lane: l, seq: seq, size: row.size, facts: row.facts, durable: true, bare: true}
	e.count = max(row.lease.count, 1) - 1
	e.redelivered = true
	e.counted = true // maybe
	e.referred = e.apart() != nil
	e.receipt = row.receipt
	if l.early == nil {
		l.early = map[uint64]struct{}{}
	}
	l.early[seq] = struct{}{}
	l.gap.count--
	l.gap.bytes = max(l.gap.bytes-e.cost(), 0)
	l.gap.body = max(l.gap.body-int64(e.body), 0)
	l.link(e)
	q.state.reseize(e)
	l.top = max(l.top, seq+1)
	x := &lease{
		entry: e, receipt: row.receipt, count: row.lease.count, deadline: row.deadline,
	}
	q.state.leases.add(x)
	q.state.leases.rejoin(x, row.attempt)
	q.lent(x, 1)
	q.ready.Add(-1)
	q.state.body -= int64(e.body)
}
