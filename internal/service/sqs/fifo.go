package sqs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
	"coffer/internal/broker"
)

const (
	// maxInFlightFIFO is how many messages of a FIFO queue may be received and not deleted,
	// and how many are looked through for a group that is free.
	maxInFlightFIFO = broker.MaxParked
	// dedupWindow is for how long a message with the deduplication id of an earlier one is
	// not sent again.
	dedupWindow = 5 * time.Minute
	// firstSequence makes every sequence number 20 digits long.
	firstSequence = 10_000_000_000_000_000_000
)

// setFIFO is set for the attributes that only FIFO queues have.
func (r *rules) setFIFO(name, value string) error {
	ok := true
	switch name {
	case "FifoQueue":
		if r.fifo && value != "true" {
			return otherType()
		}
	case "ContentBasedDeduplication":
		r.byContent = value == "true"
		ok = r.byContent || value == "false"
	case "DeduplicationScope":
		r.dedupInGroup = value == "messageGroup"
		ok = r.dedupInGroup || value == "queue"
	case "FifoThroughputLimit":
		ok = value == "perQueue" || value == "perMessageGroupId"
	}
	switch {
	case r.fifo && !ok:
		return badAttribute(name)
	case r.fifo:
		return nil
	case name == "DeduplicationScope" || name == "FifoThroughputLimit":
		return &api.InvalidAttributeName{
			Message: "You can specify the " + name + " only when FifoQueue is set to true.",
		}
	}
	return unknownAttribute(name)
}

func otherType() error {
	return &api.InvalidAttributeValue{Message: "Invalid value for the parameter FifoQueue. " +
		"Reason: Modifying queue type is not supported."}
}

// checkThroughput refuses a limit for each group where ids are unique in the whole queue.
func checkThroughput(set map[string]string) error {
	if set["FifoThroughputLimit"] == "perMessageGroupId" &&
		set["DeduplicationScope"] != "messageGroup" {
		return badAttribute("FifoThroughputLimit")
	}
	return nil
}

// usualFIFO tells the attributes that a FIFO queue has when nobody set them.
func usualFIFO(name string) string {
	switch name {
	case "FifoQueue":
		return "true"
	case "ContentBasedDeduplication":
		return "false"
	case "DeduplicationScope":
		return "queue"
	case "FifoThroughputLimit":
		return "perQueue"
	}
	return ""
}

// ordered checks what the order in a FIFO queue and its deduplication hang on, and takes
// it over. Of a standard queue a group is a tenant, whose messages hold up nobody else's.
func (m *outgoing) ordered(r *rules, e *api.SendMessageBatchRequestEntry) error {
	m.group, m.dedup = e.MessageGroupId, e.MessageDeduplicationId
	if err := checkToken("MessageGroupId", given(&m.group)); err != nil {
		return err
	}
	if !r.fifo {
		if m.dedup != "" {
			return badValue(m.dedup, "MessageDeduplicationId", wrongType)
		}
		return nil
	}
	if d := e.DelaySeconds; d != nil && *d != 0 {
		return badValue(*d, "DelaySeconds", wrongType)
	}
	m.delay = 0 // the queue's own is for all of its messages, whenever they came
	switch {
	case m.group == "":
		return wire.Missing("MessageGroupId")
	case m.dedup != "":
		return checkToken("MessageDeduplicationId", &m.dedup)
	case r.byContent:
		sum := sha256.Sum256([]byte(e.MessageBody))
		m.dedup = hex.EncodeToString(sum[:])
	default:
		return noDedup()
	}
	return nil
}

// given is nil for an empty text.
func given(text *string) *string {
	if *text == "" {
		return nil
	}
	return text
}

func noDedup() error {
	return invalid("The queue should either have ContentBasedDeduplication enabled or " +
		"MessageDeduplicationId provided explicitly")
}

// unordered refuses a batch as a whole when an entry has no place in a FIFO queue.
func (r *rules) unordered(entries []api.SendMessageBatchRequestEntry) error {
	for i := range entries {
		e := &entries[i]
		switch {
		case !r.fifo:
		case e.MessageGroupId == "":
			return invalid("The request must contain the parameter MessageGroupId.")
		case e.MessageDeduplicationId == "" && !r.byContent:
			return noDedup()
		}
	}
	return nil
}

// dedupID gives what the broker compares. Within a group only if the queue says so.
func (p *place) dedupID(r *rules, m *outgoing) (id [16]byte) {
	if !r.fifo {
		return id
	}
	scope := ""
	if r.dedupInGroup {
		scope = "group " + m.group
	}
	return p.namespace.DedupID(scope, m.dedup)
}

// sequenceNumber is shown of a message of a FIFO queue.
func (r *rules) sequenceNumber(n uint64) string {
	if !r.fifo {
		return ""
	}
	return strconv.FormatUint(firstSequence+n, 10)
}

// delete ends leases with their messages, and gives an error or nil for each. Of a FIFO
// queue a message is its receiver's only for as long as it is kept from others: after
// that the next of the group may be under way.
func (p *place) delete(
	ctx context.Context, r *rules, refs []broker.LeaseRef, handles []string,
) ([]error, error) {
	results, err := p.namespace.SettleLeases(ctx, p.queue, refs, broker.Accept, !r.fifo)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(refs))
	for i, x := range results {
		if x == broker.LeaseDone {
			p.counts.deleted.Add(1)
		}
		if r.fifo && (x == broker.LeaseExpired || x == broker.LeaseSuperseded) {
			errs[i] = badValue(handles[i], "ReceiptHandle", "The receipt handle has expired.")
		}
	}
	return errs, nil
}
