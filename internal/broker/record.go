package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/seal"
)

// queueRecord is what is known of a queue's durable messages without reading
// one. It is written in each batch that changes it.
type queueRecord struct {
	next  uint64 // sequence of the next message
	lanes []laneRecord

	delayed int64 // messages that are not due
	due     int64 // none of them is due earlier; domain time
}

// laneRecord is the part of one lane that has messages.
type laneRecord struct {
	priority uint8
	stock
}

const (
	queueRecordVersion = 2
	queueRecordFixed   = 1 + 8 + 2
	laneRecordSize     = 1 + 1 + 5*8

	partDelayed = 1 // what follows the lanes begins with a number
)

// Flags of a lane.
const (
	laneExpires = 1 << 0
	laneMarks   = 1 << 1
)

func (s *stock) flags() (flags byte) {
	if s.expires {
		flags |= laneExpires
	}
	if s.marks {
		flags |= laneMarks
	}
	return flags
}

// append writes version (1), next (8), number of lanes (2), and of each, the
// highest first: priority (1), flags (1), depth, bytes, bytes of bodies, first,
// delivered (8 each); then, if there are any, 1 (1), number of delayed messages
// (8), a bound of when the first is due (8).
func (r *queueRecord) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, queueRecordVersion), r.next)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.lanes)))
	for i := range r.lanes {
		l := &r.lanes[i]
		dst = append(dst, l.priority, l.flags())
		for _, v := range [...]int64{l.depth, l.bytes, l.body} {
			dst = binary.BigEndian.AppendUint64(dst, uint64(v))
		}
		dst = binary.BigEndian.AppendUint64(dst, l.first)
		dst = binary.BigEndian.AppendUint64(dst, l.delivered)
	}
	if r.delayed > 0 {
		dst = binary.BigEndian.AppendUint64(append(dst, partDelayed), uint64(r.delayed))
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.due))
	}
	return dst
}

// parseQueueRecord reads version 1, too, which had one lane and no bytes of
// bodies: version (1), depth, bytes, first, delivered, next (8 each).
func parseQueueRecord(p []byte) (r queueRecord, err error) {
	bad := func(what string) (queueRecord, error) {
		return r, fmt.Errorf("queue record of %d bytes: %s: %w", len(p), what, seal.ErrFormat)
	}
	q := rowParser{rest: p}
	lanes := 1
	switch q.byte() {
	case 1:
		l := laneRecord{stock: stock{depth: int64(q.uint64()), bytes: int64(q.uint64())}}
		l.first, l.delivered, r.next = q.uint64(), q.uint64(), q.uint64()
		r.lanes = append(r.lanes, l)
	case queueRecordVersion:
		r.next = q.uint64()
		if lanes = int(q.uint16()); lanes*laneRecordSize > len(q.rest) {
			return bad("wrong number of lanes")
		}
		for range lanes {
			l := laneRecord{priority: q.byte()}
			flags := q.byte()
			l.expires, l.marks = flags&laneExpires != 0, flags&laneMarks != 0
			q.failed = q.failed || flags != l.flags()
			l.depth, l.bytes, l.body = int64(q.uint64()), int64(q.uint64()), int64(q.uint64())
			l.first, l.delivered = q.uint64(), q.uint64()
			r.lanes = append(r.lanes, l)
		}
		if len(q.rest) > 0 {
			if q.byte() != partDelayed {
				return bad("unknown part")
			}
			r.delayed, r.due = int64(q.uint64()), int64(q.uint64())
			q.failed = q.failed || r.delayed <= 0 || r.due < 0 || uint64(r.delayed) > r.next
		}
	default:
		return bad("unknown version")
	}
	if q.failed || len(q.rest) > 0 {
		return bad("wrong length")
	}
	for i := range r.lanes {
		l := &r.lanes[i]
		if l.first > r.next || l.delivered > r.next || l.depth < 0 || l.bytes < 0 ||
			l.body < 0 || uint64(l.depth) > r.next-l.first ||
			i > 0 && l.priority >= r.lanes[i-1].priority {
			return bad("it does not add up")
		}
	}
	return r, nil
}
