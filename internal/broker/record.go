package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/seal"
)

// queueRecord is what is known of a queue's durable messages without reading
// one. It is written in each batch that changes it.
type queueRecord struct {
	depth     uint64 // messages stored, in flight or not
	bytes     uint64 // of their records
	first     uint64 // no stored message has a lower sequence
	delivered uint64 // messages below were assigned to a consumer once
	next      uint64 // sequence of the next message
}

const (
	queueRecordVersion = 1
	queueRecordSize    = 1 + 5*8
)

func (r *queueRecord) append(dst []byte) []byte {
	dst = append(dst, queueRecordVersion)
	for _, v := range [...]uint64{r.depth, r.bytes, r.first, r.delivered, r.next} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	return dst
}

func parseQueueRecord(p []byte) (r queueRecord, err error) {
	if len(p) != queueRecordSize || p[0] != queueRecordVersion {
		return r, fmt.Errorf("queue record of %d bytes: %w", len(p), seal.ErrFormat)
	}
	for i, field := range [...]*uint64{&r.depth, &r.bytes, &r.first, &r.delivered, &r.next} {
		*field = binary.BigEndian.Uint64(p[1+8*i:])
	}
	if r.first > r.next || r.delivered > r.next || r.depth > r.next-r.first {
		return r, fmt.Errorf("queue record does not add up: %w", seal.ErrFormat)
	}
	return r, nil
}
