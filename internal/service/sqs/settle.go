package sqs

import (
	"context"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/broker"
)

// DeleteMessage deletes a message for good. One that is not there any more is no error,
// nor, of a standard queue, one that was received again since.
func (s *Service) DeleteMessage(ctx context.Context, in *api.DeleteMessageInput) (
	*api.DeleteMessageOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ref, err := s.parseReceipt(q, in.ReceiptHandle)
	if err != nil {
		return nil, err
	}
	t := tallyOf(ctx)
	t.named(ref.message)
	t.tell("")
	errs, err := p.delete(ctx, q.row.Load().rules,
		[]broker.LeaseRef{ref.lease}, []string{in.ReceiptHandle})
	if err != nil {
		return nil, q.answer(err)
	}
	return &api.DeleteMessageOutput{}, errs[0]
}

// ChangeMessageVisibility gives a lease a new end.
func (s *Service) ChangeMessageVisibility(
	ctx context.Context, in *api.ChangeMessageVisibilityInput,
) (*api.ChangeMessageVisibilityOutput, error) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	x, id, err := s.extension(q, in.ReceiptHandle, in.VisibilityTimeout)
	if id != uuid.Nil {
		t := tallyOf(ctx)
		t.named(id)
		t.tell("")
	}
	if err != nil {
		return nil, err
	}
	results, err := p.namespace.ExtendLeases(ctx, p.queue, []broker.Extension{x})
	if err == nil {
		err = notInFlight(in.ReceiptHandle, results[0])
	}
	if err != nil {
		return nil, q.answer(err)
	}
	return &api.ChangeMessageVisibilityOutput{}, nil
}

// extension gives the new end of a lease, and the id of its message once that is known.
func (s *Service) extension(q *queue, handle string, seconds int32) (
	broker.Extension, uuid.UUID, error,
) {
	by, err := visibility(seconds)
	if err != nil {
		return broker.Extension{}, uuid.Nil, err
	}
	r, err := s.parseReceipt(q, handle)
	if err == nil && s.now().Add(by).Sub(r.received) > maxVisibility {
		err = badValue(seconds, "VisibilityTimeout", "Total VisibilityTimeout for the message "+
			"is beyond the limit [43200 seconds]")
	}
	return broker.Extension{Ref: r.lease, By: by}, r.message, err
}

// notInFlight is the error of a lease that was not there to be extended.
func notInFlight(handle string, r broker.LeaseResult) error {
	switch r {
	case broker.LeaseDone:
		return nil
	case broker.LeaseGone:
		return badValue(handle, "ReceiptHandle", "Message does not exist or is not available "+
			"for visibility timeout change.")
	}
	return &api.MessageNotInflight{Message: "The message referred to is not in flight."}
}
