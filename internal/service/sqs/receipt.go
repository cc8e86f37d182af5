package sqs

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
	"coffer/internal/broker"
)

// receipt is one receive of a message.
type receipt struct {
	received time.Time // in milliseconds; visibility in all is counted from it
	message  uuid.UUID // for the event of what is done with the handle
	lease    broker.LeaseRef
}

// A receipt handle is version (1), time of the receive in milliseconds (8), id of the
// message (16), reference of the lease, then a MAC over all of it and the queue: nobody can
// make one up, or use it at another queue.
const (
	receiptVersion = 2
	macSize        = 16
	leaseAt        = 1 + 8 + len(uuid.UUID{})
	receiptSize    = leaseAt + broker.LeaseRefSize + macSize
)

// receipt gives the handle of a message that was received.
func (s *Service) receipt(q *queue, message uuid.UUID, d *broker.Delivery) string {
	b := append(make([]byte, 0, receiptSize), receiptVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(d.LeasedAt))
	b = d.Lease.Append(append(b, message[:]...))
	return base64.StdEncoding.EncodeToString(append(b, s.receiptMAC(q, b)...))
}

func (s *Service) receiptMAC(q *queue, b []byte) []byte {
	return s.db.MAC("sqs/receipt", string(q.id[:]), string(b))
}

func (s *Service) parseReceipt(q *queue, handle string) (r receipt, err error) {
	if handle == "" {
		return r, wire.Missing("ReceiptHandle")
	}
	if len(handle) != base64.StdEncoding.EncodedLen(receiptSize) { // else it may have line feeds
		return r, badReceipt(handle)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(handle)
	if err != nil || len(b) != receiptSize || b[0] != receiptVersion ||
		!hmac.Equal(b[receiptSize-macSize:], s.receiptMAC(q, b[:receiptSize-macSize])) {
		return r, badReceipt(handle)
	}
	r.received = time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:])))
	r.message = uuid.UUID(b[9:leaseAt])
	if r.lease, err = broker.ParseLeaseRef(b[leaseAt : receiptSize-macSize]); err != nil {
		return r, badReceipt(handle)
	}
	return r, nil
}

func badReceipt(handle string) error {
	return &api.ReceiptHandleIsInvalid{
		Message: `The input receipt handle "` + handle + `" is not a valid receipt handle.`,
	}
}
