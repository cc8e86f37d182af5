package broker

import (
	"sync"
	"sync/atomic"
)

// outbox holds the events of a session that its connection has not taken. The
// deliveries in it, and those on the way to it in batches, are counted, so that
// the owner can stop assigning.
type outbox struct {
	wake     func()
	maxCount int64
	maxBytes int64
	maxTotal int64
	total    *atomic.Int64 // bytes of all outboxes of the shard
	count    atomic.Int64  // deliveries
	bytes    atomic.Int64  // of deliveries
	full     atomic.Bool   // the owner stopped assigning and wants to hear of room

	mu     sync.Mutex
	events []Event
	next   int    // the first event not taken
	epoch  uint32 // counts Returns: deliveries that were assigned before are stale
	fresh  uint64 // deliveries taken that were not stale
	closed bool
}

const (
	freeOutbox = 64 << 10 // bytes that a session may have whatever the others have
	keepEvents = 8192     // capacity that an empty outbox keeps
)

// reserve counts a delivery that will come. Only the owner calls it.
func (o *outbox) reserve(bytes int64) {
	o.count.Add(1)
	o.bytes.Add(bytes)
	o.total.Add(bytes)
}

// room reports whether the owner may assign one more.
func (o *outbox) room() bool {
	return o.count.Load() < o.maxCount && o.bytes.Load() < o.maxBytes && o.share()
}

// share reports whether the session may have more of the shard's total.
func (o *outbox) share() bool {
	return o.bytes.Load() < freeOutbox || o.total.Load() < o.maxTotal
}

// block is room, but when there is none take will report that there is again.
func (o *outbox) block() bool {
	if o.room() {
		return false
	}
	o.full.Store(true)
	if o.room() { // it drained between the two looks
		o.full.Store(false)
		return false
	}
	return true
}

// put adds events and wakes the connection if there were none.
func (o *outbox) put(events ...Event) {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	empty := o.next == len(o.events)
	o.events = append(o.events, events...)
	o.mu.Unlock()
	if empty {
		o.wake()
	}
}

// recall makes stale what the owner assigns until it has heard of this, and
// gives the number of deliveries that were taken before they were stale.
func (o *outbox) recall() (fresh uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	return o.fresh
}

// take moves events to dst. drained tells, once, that an owner that waits for
// room may go on; it waits until half of the room is free. Of the deliveries all
// or none are stale, because the owner assigns nothing while stale ones are under
// way.
func (o *outbox) take(dst []Event) (_ []Event, drained, stale bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.events)-o.next, max(cap(dst)-len(dst), 1))
	from := o.events[o.next : o.next+n]
	var count, bytes int64
	for i := range from {
		if from[i].Kind == Delivered {
			count++
			bytes += int64(len(from[i].Delivery.Record))
			stale = stale || from[i].Delivery.epoch != o.epoch
		}
	}
	dst = append(dst, from...)
	clear(from)
	if o.next += n; o.next == len(o.events) {
		o.next = 0
		if o.events = o.events[:0]; cap(o.events) > keepEvents {
			o.events = nil
		}
	}
	if count == 0 {
		return dst, false, false
	}
	if !stale {
		o.fresh += uint64(count)
	}
	left := o.count.Add(-count)
	weight := o.bytes.Add(-bytes)
	o.total.Add(-bytes)
	low := left <= o.maxCount/2 && weight <= o.maxBytes/2 && o.share()
	return dst, low && o.full.Load() && o.full.CompareAndSwap(true, false), stale
}

// close drops what is in the outbox and what will come.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events, o.next, o.closed = nil, 0, true
	o.total.Add(-o.bytes.Swap(0))
	o.count.Store(0)
}
