package amqp10

import (
	"sort"

	"coffer/internal/broker"
	"coffer/internal/telemetry/trace"
)

// unsettled are the deliveries of a session that the client has not settled, in the
// order of their ids, which are serial numbers (RFC 1982).
type unsettled struct {
	list []unsettledDelivery
	head int // before it all are settled
}

// unsettledDelivery is one; the zero ref stands for a settled one.
type unsettledDelivery struct {
	id   uint32
	link *link
	ref  broker.DeliveryRef
	span *trace.Span
}

func (u *unsettled) push(d unsettledDelivery) {
	if u.head > 64 && u.head > len(u.list)/2 {
		n := copy(u.list, u.list[u.head:])
		clear(u.list[n:])
		u.list, u.head = u.list[:n], 0
	}
	u.list = append(u.list, d)
}

// take removes the deliveries from first to last and appends their settlements.
func (u *unsettled) take(
	dst []broker.Settlement, first, last uint32, s broker.Settlement,
) []broker.Settlement {
	if u.head == len(u.list) || int32(last-first) < 0 {
		return dst
	}
	base := u.list[u.head].id
	live := u.list[u.head:]
	from := 0
	if int32(first-base) > 0 {
		from = sort.Search(len(live), func(i int) bool { return live[i].id-base >= first-base })
	}
	for i := from; i < len(live) && int32(last-live[i].id) >= 0; i++ {
		dst = live[i].settle(dst, s)
	}
	u.trim()
	return dst
}

// settle appends the settlement, unless there was one.
func (d *unsettledDelivery) settle(
	dst []broker.Settlement, s broker.Settlement,
) []broker.Settlement {
	if d.ref == (broker.DeliveryRef{}) {
		return dst
	}
	s.Ref = d.ref
	d.span.Outcome(s.Outcome.String())
	*d = unsettledDelivery{id: d.id}
	return append(dst, s)
}

// takeLink removes those of a link.
func (u *unsettled) takeLink(
	dst []broker.Settlement, l *link, o broker.Outcome,
) []broker.Settlement {
	for i := u.head; i < len(u.list); i++ {
		if u.list[i].link == l {
			dst = u.list[i].settle(dst, broker.Settlement{Outcome: o})
		}
	}
	u.trim()
	return dst
}

// takeAll removes all.
func (u *unsettled) takeAll(dst []broker.Settlement, o broker.Outcome) []broker.Settlement {
	for i := u.head; i < len(u.list); i++ {
		dst = u.list[i].settle(dst, broker.Settlement{Outcome: o})
	}
	u.list, u.head = nil, 0
	return dst
}

// trim lets go of what is settled at the beginning.
func (u *unsettled) trim() {
	for u.head < len(u.list) && u.list[u.head].ref == (broker.DeliveryRef{}) {
		u.head++
	}
	if u.head == len(u.list) {
		if u.head = 0; cap(u.list) > keepUnsettled {
			u.list = nil
		}
		u.list = u.list[:0]
	}
}

// keepUnsettled bounds the memory that an empty list keeps, in deliveries.
const keepUnsettled = 4096
