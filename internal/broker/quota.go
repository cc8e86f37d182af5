package broker

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// Quota bounds what a namespace holds. At a bound the one who wants more is
// refused with fault.Exhausted, until there is room again; what is there is
// served, settled, purged and deleted. Dead letters and messages that are moved
// are let in, for they would be lost; so is what was there when the quota was set.
type Quota struct {
	MaxMessages  Bound // in all queues, in flight or not
	MaxBytes     Bound // of their bodies, but for those delayed since before the start
	MaxQueues    Bound
	MaxConsumers Bound
}

// Usage is what a namespace holds of what a Quota bounds.
type Usage struct{ Messages, Bytes, Queues, Consumers int64 }

// usage is kept by the shard's owner, but for the queues, which the topology
// counts.
type usage struct{ messages, bytes, consumers atomic.Int64 }

func (q *Quota) bounds() [4]*Bound {
	return [...]*Bound{&q.MaxMessages, &q.MaxBytes, &q.MaxQueues, &q.MaxConsumers}
}

// Quota is the present one.
func (n *Namespace) Quota() Quota { return *n.quota.Load() }

// Usage gives what the namespace holds, as of a moment ago.
func (n *Namespace) Usage() Usage {
	return Usage{
		Messages: n.usage.messages.Load(), Bytes: n.usage.bytes.Load(),
		Queues: int64(n.Topology().count), Consumers: n.usage.consumers.Load(),
	}
}

// SetQuota changes the bounds of the namespace, durably when it returns. Errors:
// fault.Invalid; fault.NotFound when the namespace is gone.
func (n *Namespace) SetQuota(ctx context.Context, quota Quota) error {
	for _, b := range quota.bounds() {
		if b.N < 0 || !b.Set && b.N != 0 {
			return fault.New(fault.Invalid, "negative quota %d", b.N)
		}
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	c := n.begin()
	c.row(func(tx *control.Tx) error {
		tx.Put(control.TableBrokerMeta, quotaRow(n.id), quota.append(nil))
		return nil
	})
	if err := c.commit(ctx); err != nil {
		return err
	}
	n.quota.Store(&quota)
	return nil
}

// loadQuota reads the row of the namespace.
func (n *Namespace) loadQuota(tx *control.Tx) error {
	n.quota.Store(&Quota{})
	v, ok, err := tx.Get(control.TableBrokerMeta, quotaRow(n.id))
	if err != nil || !ok {
		return err
	}
	quota, err := parseQuota(v)
	n.quota.Store(&quota)
	return err
}

func quotaRow(id NamespaceID) []byte { return append([]byte("u"), id[:]...) }

// append writes version (1), which bounds are set (1, the first in the lowest
// bit), those (8 each).
func (q *Quota) append(dst []byte) []byte {
	at := len(dst) + 1
	dst = append(dst, rowVersion, 0)
	for i, b := range q.bounds() {
		if b.Set {
			dst[at] |= 1 << i
			dst = binary.BigEndian.AppendUint64(dst, uint64(b.N))
		}
	}
	return dst
}

func parseQuota(p []byte) (q Quota, err error) {
	r := rowParser{rest: p}
	r.version()
	set := r.byte()
	for i, b := range q.bounds() {
		if set&(1<<i) != 0 {
			*b = AtMost(int64(r.uint64()))
			r.failed = r.failed || b.N < 0
		}
	}
	r.failed = r.failed || set >= 1<<len(q.bounds())
	return q, r.end("quota")
}

func over(b Bound, now, more int64) bool { return b.Set && more > 0 && now > b.N-more }

// overQuota reports fault.Exhausted when that many messages more with bodies of
// so many bytes are too many. For the shard's owner.
func (n *Namespace) overQuota(messages, bytes int64) error {
	quota := n.quota.Load()
	switch {
	case over(quota.MaxMessages, n.usage.messages.Load(), messages):
		return fault.New(fault.Exhausted, "quota of %d messages", quota.MaxMessages.N)
	case over(quota.MaxBytes, n.usage.bytes.Load(), bytes):
		return fault.New(fault.Exhausted, "quota of %d bytes of messages", quota.MaxBytes.N)
	}
	return nil
}

func (n *Namespace) consumerQuota() error {
	if most := n.quota.Load().MaxConsumers; over(most, n.usage.consumers.Load(), 1) {
		return fault.New(fault.Exhausted, "quota of %d consumers", most.N)
	}
	return nil
}

// tally counts messages that come into q, or with negative numbers go.
func (sh *shard) tally(q *Queue, messages, body int64) {
	q.tally(messages, body)
	sh.show(q)
}

// tally is the shard's for a queue that nobody else knows yet.
func (q *Queue) tally(messages, body int64) {
	st := &q.state
	st.held += messages
	st.heldBody += body
	q.namespace.usage.messages.Add(messages)
	q.namespace.usage.bytes.Add(body)
}
