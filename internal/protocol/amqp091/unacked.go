package amqp091

import (
	"cmp"
	"slices"

	"coffer/internal/broker"
)

// unacked are the deliveries of a channel that the client has not settled, in
// the order of their tags.
type unacked struct {
	list []unsettled
	head int // before it all are settled

	count int // of those that are not
}

// unsettled is one delivery; the zero ref stands for a settled one.
type unsettled struct {
	tag   uint64
	ref   broker.DeliveryRef
	queue *broker.Queue
	at    int64 // when it was sent, in nanoseconds since 1970
}

func (u *unacked) push(tag uint64, d *broker.Delivery, at int64) {
	if u.head > 64 && u.head > len(u.list)/2 {
		u.list = u.list[:copy(u.list, u.list[u.head:])]
		u.head = 0
	}
	u.list = append(u.list, unsettled{tag, d.Ref, d.Queue, at})
	u.count++
}

// take removes the delivery with that tag or, with multiple, all up to it, and
// appends their settlements. With multiple, tag 0 means all. ok is false when no
// unsettled delivery has the tag.
func (u *unacked) take(dst []broker.Settlement, tag uint64, multiple bool, o broker.Outcome) (
	_ []broker.Settlement, ok bool,
) {
	from, to, ok := u.span(tag, multiple)
	if !ok {
		return dst, false
	}
	for i := from; i < to; i++ {
		if e := &u.list[i]; e.ref != (broker.DeliveryRef{}) {
			dst = append(dst, broker.Settlement{Ref: e.ref, Outcome: o})
			e.ref = broker.DeliveryRef{}
			u.count--
		}
	}
	u.trim()
	return dst, true
}

// span finds the deliveries that a tag means.
func (u *unacked) span(tag uint64, multiple bool) (from, to int, ok bool) {
	from, to = u.head, len(u.list)
	if tag == 0 && multiple {
		return from, to, true
	}
	i, found := slices.BinarySearchFunc(u.list[u.head:], tag,
		func(e unsettled, tag uint64) int { return cmp.Compare(e.tag, tag) })
	i += u.head
	if !found || u.list[i].ref == (broker.DeliveryRef{}) {
		return 0, 0, false
	}
	if !multiple {
		from = i
	}
	return from, i + 1, true
}

// lift is take for settlements that may be taken back: they keep their tags.
func (u *unacked) lift(dst []settlement, tag uint64, multiple bool, o broker.Outcome) (
	_ []settlement, ok bool,
) {
	from, to, ok := u.span(tag, multiple)
	if !ok {
		return dst, false
	}
	for i := from; i < to; i++ {
		if e := &u.list[i]; e.ref != (broker.DeliveryRef{}) {
			dst = append(dst, settlement{*e, o})
			e.ref = broker.DeliveryRef{}
			u.count--
		}
	}
	u.trim()
	return dst, true
}

// restore puts deliveries back that were lifted.
func (u *unacked) restore(list []settlement) {
	all := make([]unsettled, 0, len(list)+len(u.list)-u.head)
	for _, s := range list {
		all = append(all, s.unsettled)
	}
	for _, e := range u.list[u.head:] {
		if e.ref != (broker.DeliveryRef{}) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b unsettled) int { return cmp.Compare(a.tag, b.tag) })
	u.list, u.head, u.count = all, 0, len(all)
}

// trim lets go of what is settled at the beginning.
func (u *unacked) trim() {
	for u.head < len(u.list) && u.list[u.head].ref == (broker.DeliveryRef{}) {
		u.head++
	}
	if u.head == len(u.list) {
		if u.head = 0; cap(u.list) > keepUnacked {
			u.list = nil
		}
		u.list = u.list[:0]
	}
}

// keepUnacked bounds the memory that an empty list keeps, in deliveries.
const keepUnacked = 4096
