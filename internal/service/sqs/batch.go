package sqs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
	"coffer/internal/broker"
	"coffer/internal/fault"
)

// maxEntryID bounds the id that an entry of a batch has.
const maxEntryID = 80

// checkBatch refuses a batch that is wrong as a whole.
func checkBatch(kind string, ids []string) error {
	if len(ids) == 0 {
		return &api.EmptyBatchRequest{
			Message: "There should be at least one " + kind + "RequestEntry in the request.",
		}
	}
	if len(ids) > maxBatch {
		return &api.TooManyEntriesInBatchRequest{Message: fmt.Sprintf("Maximum number of "+
			"entries per request are %d. You have sent %d.", maxBatch, len(ids))}
	}
	for i, id := range ids {
		switch {
		case len(id) > maxEntryID || !alphanumeric(id):
			return &api.InvalidBatchEntryId{Message: "A batch entry id can only contain " +
				"alphanumeric characters, hyphens and underscores. It can be at most 80 " +
				"letters long."}
		case slices.Contains(ids[:i], id):
			return &api.BatchEntryIdsNotDistinct{Message: "Id " + id + " repeated."}
		}
	}
	return nil
}

// failed tells of an entry whose like alone would have been answered with err.
func failed(id string, err error) api.BatchResultErrorEntry {
	e := api.BatchResultErrorEntry{Id: id, Code: "InternalError", Message: "The request failed."}
	if f, ok := errors.AsType[wire.Fault](err); ok {
		var status int
		e.Code, status = f.Fault()
		e.Message, e.SenderFault = f.Error(), status < 500
		if m, ok := f.(wire.Messenger); ok {
			e.Message = m.FaultMessage()
		}
		if c, ok := f.(wire.QueryCoder); ok {
			e.Code = c.QueryCode()
		}
	} else if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		e.Message = f.Text
	}
	return e
}

// SendMessageBatch sends up to ten messages, each for itself.
func (s *Service) SendMessageBatch(ctx context.Context, in *api.SendMessageBatchInput) (
	*api.SendMessageBatchOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if err := checkBatch("SendMessageBatch", ids); err != nil {
		return nil, err
	}
	out := &api.SendMessageBatchOutput{
		Failed: []api.BatchResultErrorEntry{}, Successful: []api.SendMessageBatchResultEntry{},
	}
	total := 0
	for i := range in.Entries {
		total += sizeOf(in.Entries[i].MessageBody, in.Entries[i].MessageAttributes)
	}
	if total > maxPayload {
		return nil, &api.BatchRequestTooLong{Message: fmt.Sprintf("Batch requests cannot be "+
			"longer than %d bytes. You have sent %d bytes.", maxPayload, total)}
	}
	r := q.row.Load().rules
	if err := r.unordered(in.Entries); err != nil {
		return nil, err
	}
	var list []*outgoing
	var good []string
	for i := range in.Entries {
		e := &in.Entries[i]
		m, err := q.outgoing(ctx, e, "cannot be validated")
		if err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
			continue
		}
		list, good = append(list, m), append(good, e.Id)
	}
	results, err := s.send(ctx, q, p, list)
	if err != nil {
		return nil, q.answer(err)
	}
	t := tallyOf(ctx)
	for i, x := range results {
		if x.err != nil {
			out.Failed = append(out.Failed, failed(good[i], q.answer(x.err)))
			continue
		}
		id := x.id.String()
		t.done(id, list[i].size)
		out.Successful = append(out.Successful, api.SendMessageBatchResultEntry{
			Id: good[i], MessageId: id,
			MD5OfMessageBody:             hex.EncodeToString(list[i].sum[:]),
			MD5OfMessageAttributes:       list[i].sums.attributes,
			MD5OfMessageSystemAttributes: list[i].sums.system,
			SequenceNumber:               r.sequenceNumber(x.sequence),
		})
	}
	t.failed(out.Failed)
	t.tell(bytesIn)
	return out, nil
}

// DeleteMessageBatch deletes up to ten messages, each for itself.
func (s *Service) DeleteMessageBatch(ctx context.Context, in *api.DeleteMessageBatchInput) (
	*api.DeleteMessageBatchOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if err := checkBatch("DeleteMessageBatch", ids); err != nil {
		return nil, err
	}
	out := &api.DeleteMessageBatchOutput{
		Failed: []api.BatchResultErrorEntry{}, Successful: []api.DeleteMessageBatchResultEntry{},
	}
	var refs []broker.LeaseRef
	var good, handles []string
	t := tallyOf(ctx)
	for _, e := range in.Entries {
		ref, err := s.parseReceipt(q, e.ReceiptHandle)
		if err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
			continue
		}
		refs, good = append(refs, ref.lease), append(good, e.Id)
		handles = append(handles, e.ReceiptHandle)
		t.entry(e.Id, ref.message)
	}
	errs, err := p.delete(ctx, q.row.Load().rules, refs, handles)
	if err != nil {
		return nil, q.answer(err)
	}
	for i, id := range good {
		if errs[i] != nil {
			out.Failed = append(out.Failed, failed(id, errs[i]))
			continue
		}
		out.Successful = append(out.Successful, api.DeleteMessageBatchResultEntry{Id: id})
		t.settled(id)
	}
	t.failed(out.Failed)
	t.tell("")
	return out, nil
}

// ChangeMessageVisibilityBatch changes up to ten leases, each for itself.
func (s *Service) ChangeMessageVisibilityBatch(
	ctx context.Context, in *api.ChangeMessageVisibilityBatchInput,
) (*api.ChangeMessageVisibilityBatchOutput, error) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if err := checkBatch("ChangeMessageVisibilityBatch", ids); err != nil {
		return nil, err
	}
	out := &api.ChangeMessageVisibilityBatchOutput{
		Failed:     []api.BatchResultErrorEntry{},
		Successful: []api.ChangeMessageVisibilityBatchResultEntry{},
	}
	var list []broker.Extension
	var good []*api.ChangeMessageVisibilityBatchRequestEntry
	t := tallyOf(ctx)
	for i := range in.Entries {
		e := &in.Entries[i]
		x, id, err := s.extension(q, e.ReceiptHandle, wire.Or(e.VisibilityTimeout, 0))
		t.entry(e.Id, id)
		if err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
			continue
		}
		list, good = append(list, x), append(good, e)
	}
	results, err := p.namespace.ExtendLeases(ctx, p.queue, list)
	if err != nil {
		return nil, q.answer(err)
	}
	for i, e := range good {
		if err := notInFlight(e.ReceiptHandle, results[i]); err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
			continue
		}
		out.Successful = append(out.Successful,
			api.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
		t.settled(e.Id)
	}
	t.failed(out.Failed)
	t.tell("")
	return out, nil
}
