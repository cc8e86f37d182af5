package brokertest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// modelLease keeps a message from others until its deadline.
type modelLease struct {
	ref      broker.LeaseRef
	deadline time.Time
}

// receive takes some of the first messages under leases.
func (m *machine) receiveSome(rt *rapid.T) {
	_, c := m.session(rt)
	name, q := m.queue(rt)
	most := rapid.IntRange(1, 9).Draw(rt, "most")
	// While a lease of nothing lasts, heads that are over may go or not.
	lease := time.Duration(rapid.IntRange(1, 30).Draw(rt, "lease")) * time.Second
	got, err := c.Receive(m.tt.Context(), broker.ReceiveSpec{
		Queue: m.world.Queue(name), Max: most, Lease: lease,
	})
	ready, taker := m.takable(q, nil), new(int)
	switch {
	case m.locked:
		if fault.KindOf(err) != fault.KeyUnavailable {
			rt.Fatalf("receive while locked: %v", err)
		}
		return
	case err != nil:
		rt.Fatal(err)
	case len(got) > most || !q.groups && len(got) > len(ready) || len(got) == 0 && len(ready) > 0:
		rt.Fatalf("receive of %d gave %d of %d", most, len(got), len(ready))
	}
	for i, d := range got {
		var x *modelMessage
		if i > 0 && q.groups {
			x = m.named(rt, q, &d)
			m.orderly(rt, q, x, taker, true)
		} else {
			x = m.meant(q, ready, i, &d)
		}
		text, err := m.world.Text(&d)
		if err != nil || text != x.text || d.Redelivered != x.redelivered && !q.loose {
			rt.Fatalf("receive of %q marked %v (%v), want %q marked %v",
				text, d.Redelivered, err, x.text, x.redelivered)
		}
		x.leased = true
		x.lease, x.taker = &modelLease{d.Lease, m.clock.Now().Add(lease)}, taker
	}
	m.lapse()
}

// leases ends or extends some leases of a queue.
func (m *machine) leases(rt *rapid.T) {
	name, q := m.queue(rt)
	way := rapid.SampledFrom([]broker.Outcome{
		broker.Accept, broker.Release, broker.Reject, 0,
	}).Draw(rt, "outcome")
	keep := rapid.IntRange(0, 3).Draw(rt, "keep every")
	by := time.Duration(rapid.IntRange(0, 30).Draw(rt, "by")) * time.Second
	var refs []broker.LeaseRef
	var longer []broker.Extension
	n := 0
	for _, x := range slices.Clone(q.messages) {
		if x.lease == nil {
			continue
		}
		if n++; keep > 0 && n%keep == 0 {
			continue
		}
		refs = append(refs, x.lease.ref)
		longer = append(longer, broker.Extension{Ref: x.lease.ref, By: by})
		switch way {
		case 0:
			x.lease.deadline = m.clock.Now().Add(by)
		case broker.Release:
			m.back(q, x)
		}
	}
	if way == broker.Accept || way == broker.Reject {
		m.removeLeased(q, refs, way == broker.Reject)
	}
	var results []broker.LeaseResult
	var err error
	if way == 0 {
		results, err = m.world.Namespace.ExtendLeases(m.tt.Context(), m.world.Queue(name), longer)
	} else {
		results, err = m.world.Namespace.SettleLeases(
			m.tt.Context(), m.world.Queue(name), refs, way, false)
	}
	if err != nil || len(results) != len(refs) {
		rt.Fatalf("%d results, %v, want %d", len(results), err, len(refs))
	}
	for i, r := range results {
		if r != broker.LeaseDone {
			rt.Fatalf("lease %d of %d: %v", i, len(refs), r)
		}
	}
	m.lapse()
}
