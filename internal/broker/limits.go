package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// bounds gives the bounds in the order in which they are stored.
func (l *Limits) bounds() [7]*Bound {
	return [...]*Bound{
		&l.Expiry, &l.Retention, &l.Idle, &l.MaxLength, &l.MaxBytes, &l.Deliveries,
		&l.MaxInFlight,
	}
}

// Flags of dead letters.
const (
	deadRounds   = 0x40
	deadKeepTime = 0x80
)

// append writes which bounds are set (1, the first in the lowest bit), those (8
// each), overflow (1), delay (8), window of deduplication (8), dead letters (1: 0
// none, 1 with the message's key, 2 with another; 64 in rounds, 128 with their times),
// their address, key and namespace (16).
func (l *Limits) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	for i, b := range l.bounds() {
		if b.Set {
			dst[at] |= 1 << i
			dst = binary.BigEndian.AppendUint64(dst, uint64(b.N))
		}
	}
	dst = append(dst, byte(l.Overflow))
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.Delay))
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.Dedup))
	dead := byte(0)
	if l.Dead.Set {
		dead = 1
		if l.Dead.OwnKey {
			dead = 2
		}
		if l.Dead.Rounds {
			dead |= deadRounds
		}
		if l.Dead.KeepTime {
			dead |= deadKeepTime
		}
	}
	dst = appendText(appendText(append(dst, dead), l.Dead.Address), l.Dead.Key)
	return append(dst, l.Dead.Namespace[:]...)
}

func parseLimits(r *rowParser) (l Limits) {
	set := r.byte()
	for i, b := range l.bounds() {
		if set&(1<<i) != 0 {
			*b = AtMost(int64(r.uint64()))
		}
	}
	l.Overflow = Overflow(r.byte())
	l.Delay, l.Dedup = int64(r.uint64()), int64(r.uint64())
	flags := r.byte()
	dead := flags &^ (deadRounds | deadKeepTime)
	l.Dead = DeadLetter{
		Set: flags != 0, OwnKey: dead == 2, Address: r.text(), Key: r.text(),
		Rounds: flags&deadRounds != 0, KeepTime: flags&deadKeepTime != 0,
	}
	copy(l.Dead.Namespace[:], r.take(16))
	if set >= 1<<len(l.bounds()) || dead > 2 || dead == 0 && flags != 0 || l.check() != nil {
		r.failed = true
	}
	return l
}

// check reports limits that make no sense.
func (l *Limits) check() error {
	for _, b := range l.bounds() {
		if b.N < 0 || !b.Set && b.N != 0 {
			return fault.New(fault.Invalid, "negative limit %d", b.N)
		}
	}
	switch {
	case l.Delay < 0 || l.Dedup < 0:
		return fault.New(fault.Invalid, "negative delay or window")
	case l.Overflow > DeadLetterRefuse:
		return fault.New(fault.Invalid, "unknown overflow %d", l.Overflow)
	case len(l.Dead.Address) > MaxName || len(l.Dead.Key) > MaxName:
		return fault.New(fault.Invalid, "address or key of dead letters is over %d bytes", MaxName)
	case !l.Dead.Set && l.Dead != DeadLetter{}, !l.Dead.OwnKey && l.Dead.Key != "":
		return fault.New(fault.Invalid, "address or key of dead letters that are not set")
	}
	return nil
}

// settable reports limits that cannot be kept.
func (n *Namespace) settable(l *Limits) error {
	if err := l.check(); err != nil || l.Dead.Namespace == (NamespaceID{}) {
		return err
	}
	n.core.mu.Lock()
	to, at := n.core.namespaces[l.Dead.Namespace], n.core.existing[l.Dead.Namespace]
	n.core.mu.Unlock()
	switch {
	case at.at == nil:
		return namespaceGone()
	case to == nil:
		return fault.New(fault.Unavailable, "the namespace of the dead letters is not open")
	}
	return sameDomain(n, to)
}

// SetLimits changes the rules of a queue. It is durable, as far as the queue is,
// when it returns; messages that are there follow the new rules but where Limits
// says otherwise. Errors: fault.Invalid, also when dead letters would go to a
// namespace with another domain; fault.NotFound when the queue or that namespace is
// gone; fault.Unavailable when that is not open yet.
func (n *Namespace) SetLimits(ctx context.Context, q *Queue, l Limits) error {
	if err := n.settable(&l); err != nil {
		return err
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	if now, ok := n.Topology().Queue(q.spec.Name); !ok || now != q {
		return queueGone(q)
	}
	return n.limit(ctx, []QueueLimits{{q, l}})
}

// QueueLimits are rules for a queue.
type QueueLimits struct {
	Queue  *Queue
	Limits Limits
}

// SetManyLimits is SetLimits for many queues of the namespace in one change, which is
// durable as a whole or not at all. Queues that are gone are passed over. A call should
// not name more than some hundred.
func (n *Namespace) SetManyLimits(ctx context.Context, list []QueueLimits) error {
	for i := range list {
		if err := n.settable(&list[i].Limits); err != nil {
			return err
		}
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	there := make([]QueueLimits, 0, len(list))
	for _, x := range list {
		if now, ok := n.Topology().Queue(x.Queue.spec.Name); ok && now == x.Queue {
			there = append(there, x)
		}
	}
	return n.limit(ctx, there)
}

// limit changes the rules of queues that are there. It is called with n.mu held.
func (n *Namespace) limit(ctx context.Context, list []QueueLimits) error {
	c := n.begin()
	for _, x := range list {
		spec := x.Queue.spec
		if spec.Limits = x.Limits; !spec.stored() {
			continue
		}
		c.row(func(tx *control.Tx) error {
			tx.Put(control.TableQueue, queueRow(n.id, x.Queue.id), appendQueueRow(nil, &spec))
			return nil
		})
	}
	if len(c.rows) > 0 {
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx)
	errs := make([]error, len(list))
	var told sync.WaitGroup // at once: each answer waits for what the queue is doing
	for i := range list {
		told.Go(func() {
			x := &list[i]
			x.Queue.limits.Store(&x.Limits)
			_, errs[i] = n.shard.ask(ctx, request{kind: reqLimits, q: x.Queue, limits: &x.Limits})
		})
	}
	told.Wait()
	return errors.Join(errs...)
}

// setLimits takes the new rules of a queue over.
func (sh *shard) setLimits(r *request) {
	idle := r.q.state.limits.Idle
	r.q.state.limits = *r.limits
	if r.limits.Idle != idle {
		sh.use(r.q) // as RabbitMQ: its time begins now
	}
	if r.limits.Dedup == 0 {
		sh.forgetIDs(r.q)
	}
	sh.touch(r.q)
	sh.say(sh.busy(), answering(r.reply, reply{}))
}
