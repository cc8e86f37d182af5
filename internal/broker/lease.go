package broker

import (
	"container/heap"
	"encoding/binary"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// lease keeps a message in flight until its deadline, for whoever has the
// receipt. It belongs to no session.
type lease struct {
	entry    *entry
	receipt  uint64 // 0: nobody has it, it was released with a delay
	count    uint32 // of the message when it comes back
	deadline int64  // shard time
	at       int    // place in the heap
	attempt  *attempt
}

// spot is a place in a queue.
type spot struct {
	priority uint8
	seq      uint64
}

// leases are those of one queue, by place and by deadline.
type leases struct {
	of   map[spot]*lease
	heap leaseHeap
	held int // have a receipt
	// attempts are the receives that may be made again, at most as many as the leases.
	attempts map[AttemptID]*attempt
}

// maxLeases bounds the leases of a queue, which are in memory, whatever its
// limits say.
const maxLeases = 1 << 18

// LeaseRef names one receive of a message. It is comparable, and good for ever:
// a stale one is told from the present one.
type LeaseRef struct {
	priority uint8
	seq      uint64
	receipt  uint64
}

// LeaseRefSize is the length of an encoded LeaseRef.
const LeaseRefSize = 1 + 1 + 8 + 8

const leaseRefVersion = 1

// Append encodes the reference: version (1), priority (1), sequence (8), receipt
// (8). The queue is not in it.
func (r LeaseRef) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, leaseRefVersion, r.priority), r.seq)
	return binary.BigEndian.AppendUint64(dst, r.receipt)
}

// ParseLeaseRef reads what Append wrote. Errors: fault.Invalid.
func ParseLeaseRef(p []byte) (LeaseRef, error) {
	q := rowParser{rest: p}
	version := q.byte()
	r := LeaseRef{q.byte(), q.uint64(), q.uint64()}
	if version != leaseRefVersion || q.failed || len(q.rest) > 0 || r.seq == 0 || r.receipt == 0 {
		return LeaseRef{}, fault.New(fault.Invalid, "malformed reference of a lease")
	}
	return r, nil
}

// leaseRow is what is stored of a lease, with so much of its message that the
// queue can go on without reading that.
type leaseRow struct {
	lease
	facts // but address, key and history
	size  int
}

// leaseRowVersion is that of a lease without an attempt.
const (
	leaseRowVersion   = 1
	attemptRowVersion = 2
)

// append writes version (1), count (4), deadline (8), time of the first receive
// (8), receipt (8), bytes of the record (4) and of the body (4), times of
// publishing and expiry (8 each), group, what lies apart; then of an attempt its
// id (16), time (8) and size (2).
func (r *leaseRow) append(dst []byte) []byte {
	version := byte(leaseRowVersion)
	if r.attempt != nil {
		version = attemptRowVersion
	}
	dst = binary.BigEndian.AppendUint32(append(dst, version), r.lease.count)
	for _, v := range [...]uint64{uint64(r.deadline), uint64(r.received), r.receipt} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.size))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.body))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.enqueued))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.expires))
	dst = r.apart().append(appendShort(dst, r.group()))
	if a := r.attempt; a != nil {
		dst = binary.BigEndian.AppendUint64(append(dst, a.id[:]...), uint64(a.at))
		dst = binary.BigEndian.AppendUint16(dst, uint16(a.size))
	}
	return dst
}

func parseLeaseRow(p []byte) (r leaseRow, err error) {
	q := rowParser{rest: p}
	version := q.byte()
	r.lease.count = q.uint32()
	r.deadline, r.received, r.receipt = int64(q.uint64()), int64(q.uint64()), q.uint64()
	r.size, r.body = int(q.uint32()), int(q.uint32())
	r.enqueued, r.expires = int64(q.uint64()), int64(q.uint64())
	if group := q.short(); group != "" {
		r.extra = &extra{group: group}
	}
	if a := parseApart(&q); a != nil {
		r.more().apart = a
	}
	if version == attemptRowVersion {
		r.attempt = &attempt{
			id: AttemptID(q.take(uint64(len(AttemptID{})))), at: int64(q.uint64()),
			size: int(q.uint16()),
		}
		version = leaseRowVersion
		q.failed = q.failed || r.attempt.size == 0
	}
	if version != leaseRowVersion || q.failed || len(q.rest) > 0 {
		return r, fmt.Errorf("lease of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return r, nil
}

// lend puts e, which is neither ready nor in flight, under a lease.
func (sh *shard) lend(e *entry, receipt uint64, count uint32, deadline int64) {
	q := e.lane.queue
	x := sh.newLease()
	*x = lease{entry: e, receipt: receipt, count: count, deadline: deadline}
	e.receipt = receipt
	e.lane.link(e)
	e.lane.top = max(e.lane.top, e.seq+1)
	q.state.leases.add(x)
	q.lent(x, 1)
	sh.writeLease(x, true)
	sh.wakeAt(q, deadline)
	if e.stored() || sh.crowded() {
		sh.dropRecord(e)
	}
}

// endLease takes a lease away; its message is neither ready nor in flight then.
func (sh *shard) endLease(x *lease) *entry {
	e := x.entry
	q := e.lane.queue
	q.state.leases.remove(x)
	q.lent(x, -1)
	e.lane.unlink(e)
	if q.state.receivers.len() > 0 { // there may be room for what they wait for
		sh.touch(q)
	}
	if e.durable {
		key := sideKey(sh.keybuf[:0], classDurable, q.id, kindLease, e.lane.priority, e.seq)
		sh.batch.Delete(key)
		sh.markDirty(q)
	}
	*x = lease{}
	if len(sh.freeLeases) < keepLeases {
		sh.freeLeases = append(sh.freeLeases, x)
	}
	return e
}

// lent counts a lease that came or went.
func (q *Queue) lent(x *lease, n int64) {
	if x.receipt == 0 {
		q.delayed.Add(n)
		return
	}
	q.unacked.Add(n)
	q.state.leases.held += int(n)
}

// writeLease stores a lease, as far as its message is. A new one is inserted, for what was
// at its place was deleted when it ended: one that ends soon leaves no trace in the store.
func (sh *shard) writeLease(x *lease, isNew bool) {
	e := x.entry
	if !e.durable {
		return
	}
	q := e.lane.queue
	key := sideKey(sh.keybuf[:0], classDurable, q.id, kindLease, e.lane.priority, e.seq)
	row := leaseRow{lease: *x, facts: e.facts, size: e.size}
	sh.plain = row.append(sh.plain[:0])
	var err error
	if sh.scratch, err = sh.place.seal(sh.scratch[:0], key, sh.plain); err != nil {
		sh.fail(fmt.Errorf("seal lease of queue %x: %w", uint64(q.id), err))
		return
	}
	if isNew {
		sh.batch.InsertJoined(key, sh.scratch, nil)
	} else {
		sh.batch.Set(key, sh.scratch)
	}
	sh.markDirty(q)
}

// keepLeases bounds the free list.
const keepLeases = 1 << 12

func (sh *shard) newLease() *lease {
	if n := len(sh.freeLeases); n > 0 {
		x := sh.freeLeases[n-1]
		sh.freeLeases = sh.freeLeases[:n-1]
		return x
	}
	return &lease{}
}

func (x *lease) ref() LeaseRef {
	return LeaseRef{x.entry.lane.priority, x.entry.seq, x.receipt}
}

func (x *lease) spot() spot { return spot{x.entry.lane.priority, x.entry.seq} }

func (l *leases) add(x *lease) {
	if l.of == nil {
		l.of = map[spot]*lease{}
	}
	l.of[x.spot()] = x
	heap.Push(&l.heap, x)
}

func (l *leases) remove(x *lease) {
	l.part(x)
	delete(l.of, x.spot())
	heap.Remove(&l.heap, x.at)
}

// leaseHeap has the earliest deadline first.
type leaseHeap []*lease

func (h leaseHeap) Len() int { return len(h) }
func (h leaseHeap) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].entry.seq < h[j].entry.seq // who dies at once does so in order
}

func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *leaseHeap) Push(v any) {
	x := v.(*lease)
	x.at = len(*h)
	*h = append(*h, x)
}

func (h *leaseHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return x
}
