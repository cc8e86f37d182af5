package broker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"coffer/internal/seal"
)

// Reason says why a message left a queue other than by being accepted.
type Reason uint8

// The reasons. Their numbers are stored.
const (
	Rejected      Reason = 1 // a consumer refused it
	Expired       Reason = 2 // its time to live was over
	TooMany       Reason = 3 // the queue was over its maximum length
	DeliveryLimit Reason = 4 // it was released too often
)

// Death is what happened to a message in one queue for one reason.
type Death struct {
	Queue    string // name of the queue
	Reason   Reason
	Count    uint64        // how often
	Time     time.Time     // of the first time, in milliseconds
	Address  string        // to which it had been published then
	Key      string        // and with which key
	Lifetime time.Duration // which the message had been given; negative: none
	Copies   bool          // and with the further keys of Message.Copies
	// Namespace of the queue; zero: the one in which the message is now.
	Namespace NamespaceID
}

// History is the deaths of a message, the latest first. FirstQueue and the
// others tell of the first of all, LastAddress of the latest: a death that is not
// the first of its queue and reason keeps the address of that one.
type History struct {
	Deaths       []Death
	FirstQueue   string
	FirstReason  Reason
	FirstAddress string
	LastAddress  string
}

// Bounds of a history: the oldest deaths are forgotten.
const (
	maxDeaths  = 64
	maxHistory = 40 << 10 // stored, in bytes; two deaths always fit
)

// With gives the history with one more death: the same queue and reason count
// up and come first. The receiver stays as it is.
func (h History) With(d Death) History {
	next, _ := h.with(d)
	return next
}

// with reports whether nothing was forgotten.
func (h *History) with(d Death) (next History, whole bool) {
	next = History{
		FirstQueue: h.FirstQueue, FirstReason: h.FirstReason, FirstAddress: h.FirstAddress,
	}
	if len(h.Deaths) == 0 {
		next.FirstQueue, next.FirstReason, next.FirstAddress = d.Queue, d.Reason, d.Address
	}
	next.LastAddress = d.Address
	d.Count = 1
	for _, old := range h.Deaths {
		if old.same(&d) {
			old.Count++
			d = old
		}
	}
	next.Deaths = append(make([]Death, 0, min(len(h.Deaths)+1, maxDeaths)), d)
	size := historyFixed + len(next.FirstQueue) + len(next.FirstAddress) +
		len(next.LastAddress) + d.size()
	for _, old := range h.Deaths {
		if old.same(&d) {
			continue
		}
		size += old.size()
		if len(next.Deaths) == maxDeaths || size > maxHistory {
			return next, false
		}
		next.Deaths = append(next.Deaths, old)
	}
	return next, true
}

// Stored sizes in bytes, without texts.
const (
	historyFixed = 1 + 2 + 2 + 2 + 1
	deathFixed   = 1 + 8 + 8 + 8 + 2 + 2 + 2 + 16
	// deathElsewhere is added to the reason of a death with a namespace, deathCopies
	// to that of one with further keys, and lastElsewhere to the first reason when
	// the last address is not that of the first death in the list.
	deathElsewhere = 0x80
	deathCopies    = 0x40
	lastElsewhere  = 0x80
)

// cost is about what a history takes in memory.
func (h *History) cost() (n int64) {
	for i := range h.Deaths {
		n += int64(h.Deaths[i].size()) + deathOverhead
	}
	return n
}

// deathOverhead is what a death needs in memory besides what is stored of it.
const deathOverhead = 64

func (d *Death) same(x *Death) bool {
	return d.Queue == x.Queue && d.Reason == x.Reason && d.Namespace == x.Namespace
}

// across gives the history of a message that goes from one namespace to another.
func (h *History) across(from, to NamespaceID) History {
	next := *h
	if from == to {
		return next
	}
	next.Deaths = slices.Clone(h.Deaths)
	for i := range next.Deaths {
		switch d := &next.Deaths[i]; d.Namespace {
		case NamespaceID{}:
			d.Namespace = from
		case to:
			d.Namespace = NamespaceID{}
		}
	}
	return next
}

func (d *Death) size() int { return deathFixed + len(d.Queue) + len(d.Address) + len(d.Key) }

// Cycles reports whether a message that is sent to this queue would go in a
// circle in which nobody rejects it.
func (h History) Cycles(queue string) bool {
	for _, d := range h.Deaths {
		if d.Reason == Rejected {
			return false
		}
		if d.Queue == queue && d.Namespace == (NamespaceID{}) {
			return true
		}
	}
	return false
}

// append writes first reason (1), first queue, first address, with 0x80 in the
// first reason the last address, number of deaths (1), and of each: reason (1),
// count (8), time (8), lifetime in milliseconds (8), queue, address, key; with 0x80
// in the reason the namespace (16). 0x40 in it: with further keys. Texts are length
// (2) and bytes.
func (h *History) append(dst []byte) []byte {
	elsewhere := h.LastAddress != h.Deaths[0].Address
	first := byte(h.FirstReason)
	if elsewhere {
		first |= lastElsewhere
	}
	dst = append(dst, first)
	dst = appendShort(appendShort(dst, h.FirstQueue), h.FirstAddress)
	if elsewhere {
		dst = appendShort(dst, h.LastAddress)
	}
	dst = append(dst, byte(len(h.Deaths)))
	for i := range h.Deaths {
		d := &h.Deaths[i]
		reason := byte(d.Reason)
		if d.Namespace != (NamespaceID{}) {
			reason |= deathElsewhere
		}
		if d.Copies {
			reason |= deathCopies
		}
		dst = binary.BigEndian.AppendUint64(append(dst, reason), d.Count)
		dst = binary.BigEndian.AppendUint64(dst, uint64(d.Time.UnixMilli()))
		dst = binary.BigEndian.AppendUint64(dst, uint64(d.Lifetime.Milliseconds()))
		dst = appendShort(appendShort(appendShort(dst, d.Queue), d.Address), d.Key)
		if reason&deathElsewhere != 0 {
			dst = append(dst, d.Namespace[:]...)
		}
	}
	return dst
}

func parseHistory(r *rowParser) (h History, err error) {
	first := r.byte()
	h.FirstReason = Reason(first &^ lastElsewhere)
	h.FirstQueue, h.FirstAddress = r.short(), r.short()
	if first&lastElsewhere != 0 {
		h.LastAddress = r.short()
	}
	n := int(r.byte())
	if n == 0 || n > maxDeaths {
		return h, fmt.Errorf("history of %d deaths: %w", n, seal.ErrFormat)
	}
	for range n {
		reason := r.byte()
		d := Death{
			Reason: Reason(reason &^ (deathElsewhere | deathCopies)), Count: r.uint64(),
			Copies: reason&deathCopies != 0,
		}
		d.Time = time.UnixMilli(int64(r.uint64()))
		lifetime := int64(r.uint64())
		if lifetime < -1 || lifetime > maxMilliseconds {
			return h, fmt.Errorf("lifetime of %d ms: %w", lifetime, seal.ErrFormat)
		}
		d.Lifetime = time.Duration(lifetime) * time.Millisecond
		d.Queue, d.Address, d.Key = r.short(), r.short(), r.short()
		if reason&deathElsewhere != 0 {
			copy(d.Namespace[:], r.take(16))
			r.failed = r.failed || d.Namespace == NamespaceID{}
		}
		h.Deaths = append(h.Deaths, d)
	}
	switch last := h.Deaths[0].Address; {
	case first&lastElsewhere == 0:
		h.LastAddress = last
	case h.LastAddress == last:
		r.failed = true
	}
	return h, nil
}

// maxMilliseconds is what a time.Duration can hold.
const maxMilliseconds = int64(1<<63-1) / int64(time.Millisecond)

// appendShort appends length (2) and bytes of a text of at most 64 KiB.
func appendShort(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}
