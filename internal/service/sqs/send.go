package sqs

import (
	"cmp"
	"context"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	maxPayload = 1 << 20 // bytes of a message, and of all messages of a batch
	maxDelay   = 900 * time.Second
)

// outgoing is a message on its way to a queue.
type outgoing struct {
	message
	body  []byte
	size  int // in bytes, as it counts towards the limits
	delay time.Duration
	sums  sums
}

// sums are the digests that an answer tells beside that of the body.
type sums struct{ attributes, system string }

// SendMessage sends a message. It is on disk when the answer comes.
func (s *Service) SendMessage(ctx context.Context, in *api.SendMessageInput) (
	*api.SendMessageOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = cmp.Or(checkToken("MessageGroupId", in.MessageGroupId),
		checkToken("MessageDeduplicationId", in.MessageDeduplicationId))
	if err != nil {
		return nil, err
	}
	m, err := q.outgoing(ctx, &api.SendMessageBatchRequestEntry{
		DelaySeconds: in.DelaySeconds, MessageAttributes: in.MessageAttributes,
		MessageBody:             in.MessageBody,
		MessageDeduplicationId:  wire.Or(in.MessageDeduplicationId, ""),
		MessageGroupId:          wire.Or(in.MessageGroupId, ""),
		MessageSystemAttributes: in.MessageSystemAttributes,
	}, "are invalid")
	if err != nil {
		return nil, err
	}
	r := q.row.Load().rules
	sent, err := s.send(ctx, q, p, []*outgoing{m})
	if err == nil {
		err = sent[0].err
	}
	if err != nil {
		return nil, q.answer(err)
	}
	id, t := sent[0].id.String(), tallyOf(ctx)
	t.done(id, m.size)
	t.tell(bytesIn)
	return &api.SendMessageOutput{
		MessageId: id, MD5OfMessageBody: hex.EncodeToString(m.sum[:]),
		MD5OfMessageAttributes: m.sums.attributes, MD5OfMessageSystemAttributes: m.sums.system,
		SequenceNumber: r.sequenceNumber(sent[0].sequence),
	}, nil
}

// outgoing checks a message that a client sends. flaw is how the operation calls one that
// is too long.
func (q *queue) outgoing(
	ctx context.Context, e *api.SendMessageBatchRequestEntry, flaw string,
) (*outgoing, error) {
	r := q.row.Load().rules
	m := &outgoing{body: []byte(e.MessageBody), delay: r.delay}
	m.attributes = e.MessageAttributes
	if e.MessageBody == "" {
		return nil, wire.Missing("MessageBody")
	}
	if found := badCharacter(e.MessageBody, "body"); found != "" {
		return nil, &api.InvalidMessageContents{Message: found}
	}
	if d := e.DelaySeconds; d != nil {
		m.delay = time.Duration(*d) * time.Second
		if *d < 0 || m.delay > maxDelay {
			return nil, badValue(*d, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
		}
	}
	if err := m.ordered(r, e); err != nil {
		return nil, err
	}
	if err := checkAttributes(e.MessageAttributes); err != nil {
		return nil, err
	}
	system, err := m.takeSystem(e.MessageSystemAttributes)
	if err != nil {
		return nil, err
	}
	m.size = sizeOf(e.MessageBody, e.MessageAttributes)
	if m.size > r.maxSize {
		return nil, invalid("One or more parameters %s. Reason: Message must be shorter than %d "+
			"bytes.", flaw, r.maxSize)
	}
	m.sum = digestOf(m.body)
	m.sums = sums{attributesDigest(m.attributes), attributesDigest(system)}
	m.sender = gateway.From(ctx).Principal.UserID
	return m, nil
}

// takeSystem reads the system attributes, of which there is one, and gives them as the
// digest has them.
func (m *outgoing) takeSystem(set map[string]api.MessageSystemAttributeValue) (
	map[string]api.MessageAttributeValue, error,
) {
	if len(set) == 0 {
		return nil, nil
	}
	out := map[string]api.MessageAttributeValue{}
	for name, v := range set {
		switch {
		case name != "AWSTraceHeader":
			return nil, invalid("Message system attribute name '%s' is invalid.", name)
		case v.DataType != "String":
			return nil, invalid("Message system attribute '%s' must be of type 'String'.", name)
		case v.StringValue == "":
			return nil, invalid("Message system attribute '%s' must contain a non-empty value "+
				"of type 'String'.", name)
		}
		m.trace = v.StringValue
		out[name] = api.MessageAttributeValue{DataType: v.DataType, StringValue: v.StringValue}
	}
	return out, nil
}

// sizeOf is what counts towards the limits: system attributes do not.
func sizeOf(body string, attributes map[string]api.MessageAttributeValue) int {
	n := len(body)
	for name, v := range attributes {
		n += len(name) + len(v.DataType) + len(v.StringValue) + len(v.BinaryValue)
	}
	return n
}

// sent is what became of a message.
type sent struct {
	id       uuid.UUID
	sequence uint64
	err      error
}

// send seals messages and puts them into the queue; it gives a result for each.
func (s *Service) send(
	ctx context.Context, q *queue, p *place, list []*outgoing,
) ([]sent, error) {
	if err := s.sealing(ctx, q, p); err != nil {
		return nil, err
	}
	p.sends.RLock()
	out, pubs, locked := p.seal(q.row.Load().rules, s.now(), list)
	if locked { // the key was taken away meanwhile: why?
		p.sends.RUnlock()
		if err := s.sealing(ctx, q, p); err != nil {
			return nil, err
		}
		p.sends.RLock()
		out, pubs, _ = p.seal(q.row.Load().rules, s.now(), list)
	}
	defer p.sends.RUnlock()
	err := p.publish(ctx, pubs, func(e *broker.Event) {
		out[e.Tag] = sent{id: uuid.UUID(e.MessageID), sequence: e.Sequence, err: e.Err}
	})
	return out, err
}

// seal makes messages ready to be published, with room for a result of each. What could not
// be sealed has its error there; locked tells whether that was for want of the key.
func (p *place) seal(r *rules, now time.Time, list []*outgoing) (
	out []sent, pubs []broker.Publishing, locked bool,
) {
	out = make([]sent, len(list))
	header := make([]byte, 0, 256) // Seal keeps none of it
	pubs = make([]broker.Publishing, 0, len(list))
	for i, m := range list {
		m.sent = now
		sealed, err := p.namespace.Seal(nil, broker.Content{
			Format: ContentFormat, Header: m.append(header[:0]), Body: m.body,
		}, seal.Facts{})
		if err != nil {
			out[i].err = err
			locked = locked || fault.KindOf(err) == fault.KeyUnavailable
			continue
		}
		sealed.Durable, sealed.Group = true, m.group
		sealed.Dedup = p.dedupID(r, m)
		if m.delay > 0 {
			sealed.Delay = broker.AtMost(m.delay.Milliseconds())
		}
		pubs = append(pubs, broker.Publishing{
			Message: sealed, Targets: []*broker.Queue{p.queue}, Tag: uint64(i), Confirm: true,
		})
	}
	return out, pubs, locked
}
