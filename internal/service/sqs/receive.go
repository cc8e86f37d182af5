package sqs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	maxBatch      = 10
	maxVisibility = 12 * time.Hour
	maxWait       = 20 * time.Second
)

// ReceiveMessage takes messages under leases, and waits for the first one if it may.
func (s *Service) ReceiveMessage(ctx context.Context, in *api.ReceiveMessageInput) (
	*api.ReceiveMessageOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	spec, err := q.receiving(in)
	if err != nil {
		return nil, err
	}
	spec.Queue = p.queue
	if id := in.ReceiveRequestAttemptId; id != nil && q.fifo() {
		spec.Attempt = p.namespace.AttemptID(*id)
	}
	show := shown{attributes: in.MessageAttributeNames}
	if err := show.system(in.AttributeNames, in.MessageSystemAttributeNames); err != nil {
		return nil, err
	}
	got, err := s.collect(ctx, q, p, spec, &show)
	if errors.Is(err, broker.ErrAttempt) {
		err = badValue(*in.ReceiveRequestAttemptId, "ReceiveRequestAttemptId", "The "+
			"receiveRequestAttemptId is not valid anymore since the receive call is not retryable.")
	}
	if err != nil {
		return nil, err
	}
	if t := tallyOf(ctx); t != nil {
		for i := range got {
			t.done(got[i].MessageId, sizeOf(got[i].Body, got[i].MessageAttributes))
		}
		t.tell(bytesOut)
	}
	return &api.ReceiveMessageOutput{Messages: got}, nil
}

// take receives for who may open what the queue seals. When a change of its KMS key ends
// the wait, what holds then is asked anew.
func (s *Service) take(
	ctx context.Context, q *queue, p *place, spec *broker.ReceiveSpec,
) ([]broker.Delivery, error) {
	began := s.now()
	for {
		if err := s.unsealing(ctx, q, p); err != nil {
			return nil, err
		}
		list, err := s.lease(ctx, q, p, spec)
		if fault.KindOf(err) != fault.KeyUnavailable || !p.sealer.own.Load().customers() {
			return list, q.answer(err)
		}
		spec.Wait = max(spec.Wait-s.now().Sub(began), 0)
		began = s.now()
	}
}

// lease receives until the process is about to stop.
func (s *Service) lease(
	ctx context.Context, q *queue, p *place, spec *broker.ReceiveSpec,
) ([]broker.Delivery, error) {
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	if spec.Wait > 0 {
		if s.waits.Err() != nil {
			spec.Wait = 0
		}
		defer context.AfterFunc(s.waits, cancel)()
	}
	list, err := p.receiver.Receive(wait, *spec)
	switch {
	case err == nil:
		return list, nil
	case wait.Err() != nil && ctx.Err() == nil:
		return nil, nil // nothing was taken
	case fault.KindOf(err) == fault.Exhausted && q.fifo():
		return nil, nil
	case fault.KindOf(err) == fault.Exhausted:
		return nil, &api.OverLimit{Message: "Too many messages in flight."}
	}
	return nil, err
}

// receiving reads what a request wants, with what the queue says where it says nothing.
func (q *queue) receiving(in *api.ReceiveMessageInput) (*broker.ReceiveSpec, error) {
	r := q.row.Load().rules
	if err := checkToken("ReceiveRequestAttemptId", in.ReceiveRequestAttemptId); err != nil {
		return nil, err
	}
	spec := &broker.ReceiveSpec{Max: 1, Lease: r.visibility, Wait: r.wait, Bytes: maxPayload}
	if n := in.MaxNumberOfMessages; n != nil {
		if *n < 1 || *n > maxBatch {
			return nil, badValue(*n, "MaxNumberOfMessages",
				"Must be between 1 and 10, if provided.")
		}
		spec.Max = int(*n)
	}
	if n := in.WaitTimeSeconds; n != nil {
		spec.Wait = time.Duration(*n) * time.Second
		if *n < 0 || spec.Wait > maxWait {
			return nil, badValue(*n, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
		}
	}
	if n := in.VisibilityTimeout; n != nil {
		var err error
		if spec.Lease, err = visibility(*n); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

func visibility(seconds int32) (time.Duration, error) {
	d := time.Duration(seconds) * time.Second
	if seconds < 0 || d > maxVisibility {
		return 0, badValue(seconds, "VisibilityTimeout",
			"Must be >= 0 and <= 43200, if provided.")
	}
	return d, nil
}

// show opens a message and makes what the answer tells of it.
func (s *Service) show(
	ctx context.Context, q *queue, p *place, d *broker.Delivery, show *shown,
) (*api.Message, error) {
	h, err := seal.ParseRecord(d.Record)
	if err != nil {
		return nil, err
	}
	if k := p.sealer.realm.key(h.DataKey); k != nil {
		if err := s.opening(ctx, k, q.row.Load().rules.reuse); err != nil {
			return nil, err
		}
	}
	if cap(show.plain) < d.Size {
		show.plain = make([]byte, 0, d.Size)
	}
	c, err := p.namespace.OpenDelivery(show.plain, d)
	if err != nil {
		return nil, err
	}
	m, err := parseMessage(c)
	if err != nil {
		return nil, fmt.Errorf("message of queue %s: %w", q.id, err)
	}
	out := &api.Message{
		MessageId: uuid.UUID(h.ID).String(), ReceiptHandle: s.receipt(q, h.ID, d),
		Body: string(c.Body), MD5OfBody: hex.EncodeToString(m.sum[:]),
	}
	for name, v := range m.attributes {
		if show.attribute(name) {
			if out.MessageAttributes == nil {
				out.MessageAttributes = map[string]api.MessageAttributeValue{}
			}
			out.MessageAttributes[name] = v
		}
	}
	out.MD5OfMessageAttributes = attributesDigest(out.MessageAttributes)
	if show.all || len(show.names) > 0 {
		out.Attributes = s.systemAttributes(q, &m, out.MessageId, d)
		maps.DeleteFunc(out.Attributes, func(name, v string) bool {
			return v == "" || !show.all && !slices.Contains(show.names, name)
		})
	}
	return out, nil
}

// systemAttributes are what SQS itself knows of a message; empty ones are not told.
func (s *Service) systemAttributes(
	q *queue, m *message, id string, d *broker.Delivery,
) map[string]string {
	all := map[string]string{
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(d.Received, 10),
		"ApproximateReceiveCount":          strconv.FormatUint(uint64(d.Count)+1, 10),
		"AWSTraceHeader":                   m.trace,
		"MessageDeduplicationId":           m.dedup,
		"MessageGroupId":                   m.group,
		"SenderId":                         m.sender,
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"SequenceNumber":                   q.row.Load().rules.sequenceNumber(d.Sequence),
	}
	if from := s.source(q, d.History); from != nil {
		all["DeadLetterQueueSourceArn"] = from.arn()
	}
	if d.History != nil && q.fifo() { // two of one id may have come here
		all["MessageDeduplicationId"] = id
	}
	return all
}

// shown is which attributes a receive asks for.
type shown struct {
	all        bool
	names      []string // of system attributes
	attributes []string
	plain      []byte // memory in which one message after the other is opened
}

// system reads the names of system attributes, which older clients send under another
// name.
func (s *shown) system(lists ...[]string) error {
	for _, list := range lists {
		for _, name := range list {
			switch name {
			case "All":
				s.all = true
			case "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount",
				"AWSTraceHeader", "DeadLetterQueueSourceArn", "MessageDeduplicationId",
				"MessageGroupId", "SenderId", "SentTimestamp", "SequenceNumber":
				s.names = append(s.names, name)
			default:
				return unknownAttribute(name)
			}
		}
	}
	return nil
}

// attribute tells whether a message attribute was asked for: by name, by a prefix, or
// with all.
func (s *shown) attribute(name string) bool {
	return slices.ContainsFunc(s.attributes, func(want string) bool {
		prefix, open := strings.CutSuffix(want, ".*")
		return want == "All" || want == name || open && strings.HasPrefix(name, prefix)
	})
}
