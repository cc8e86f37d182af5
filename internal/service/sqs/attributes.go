package sqs

import (
	"context"
	"maps"
	"strconv"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// SetQueueAttributes changes attributes; those that are not named stay.
func (s *Service) SetQueueAttributes(ctx context.Context, in *api.SetQueueAttributesInput) (
	*api.SetQueueAttributesOutput, error,
) {
	a, err := addressOf(gateway.From(ctx), in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		return s.change(tx, a, func(r *row) (err error) {
			r.Attributes = withAttributes(r.Attributes, lowered(in.Attributes))
			r.Modified = tx.Time()
			if r.rules, err = newRules(a, r.Attributes); err != nil {
				return err
			}
			if err := s.ensureDefault(ctx, a, r.rules); err != nil {
				return err
			}
			text := in.Attributes["RedrivePolicy"]
			if text == "" {
				return nil
			}
			d, err := parseRedrive(text)
			if err != nil {
				return err
			}
			return d.check(tx, a)
		})
	})
	if err != nil {
		return nil, err
	}
	return &api.SetQueueAttributesOutput{}, nil
}

// settable are the attributes that callers set, in no order; a queue shows those that
// it has.
var settable = []string{
	"DelaySeconds", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize",
	"MessageRetentionPeriod", "Policy", "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled",
	"VisibilityTimeout", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope",
	"FifoThroughputLimit", "RedrivePolicy", "RedriveAllowPolicy", gateAttribute,
}

// GetQueueAttributes tells what a queue is and holds.
func (s *Service) GetQueueAttributes(ctx context.Context, in *api.GetQueueAttributesInput) (
	*api.GetQueueAttributesOutput, error,
) {
	q, p, err := s.data(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	all := q.attributes(p)
	shown := map[string]string{}
	for _, name := range in.AttributeNames {
		value, there := all[name]
		switch {
		case name == "All":
			maps.Copy(shown, all)
		case there:
			shown[name] = value
		case !known(name):
			return nil, unknownAttribute(name)
		}
	}
	if len(shown) == 0 {
		return &api.GetQueueAttributesOutput{}, nil
	}
	return &api.GetQueueAttributesOutput{Attributes: shown}, nil
}

// attributes are all that a queue shows.
func (q *queue) attributes(p *place) map[string]string {
	r := q.row.Load()
	ready, unacked, _ := p.queue.Counts()
	all := map[string]string{
		"QueueArn":                              q.arn(),
		"CreatedTimestamp":                      seconds(r.Created),
		"LastModifiedTimestamp":                 seconds(r.Modified),
		"ApproximateNumberOfMessages":           strconv.FormatInt(ready, 10),
		"ApproximateNumberOfMessagesNotVisible": strconv.FormatInt(unacked, 10),
		"ApproximateNumberOfMessagesDelayed":    strconv.FormatInt(p.queue.Delayed(), 10),
	}
	for _, name := range settable {
		if name == "KmsDataKeyReusePeriodSeconds" && r.rules.key == "" {
			continue
		}
		if v := r.value(name); v != "" {
			all[name] = v
		}
	}
	return all
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// known tells an attribute that this queue does not have from one that there is none of.
func known(name string) bool {
	switch name {
	case "ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit",
		"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy",
		"RedrivePolicy", gateAttribute:
		return true
	}
	return false
}
