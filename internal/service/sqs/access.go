package sqs

import (
	"context"
	"strings"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/policy"
)

// queueType is what CloudTrail calls a queue.
const queueType = "AWS::SQS::Queue"

// ownAccount are the operations that a queue's policy cannot let another account do.
//
// Source: SQS developer guide, "Limitations of Amazon SQS custom policies".
var ownAccount = map[string]bool{
	"AddPermission": true, "CancelMessageMoveTask": true, "CreateQueue": true,
	"DeleteQueue": true, "ListMessageMoveTasks": true, "ListQueues": true,
	"ListQueueTags": true, "RemovePermission": true, "SetQueueAttributes": true,
	"StartMessageMoveTask": true, "TagQueue": true, "UntagQueue": true,
}

// Access names the queue that a request is about. A batch is decided as what it is a
// batch of.
func (s *Service) Access(ctx context.Context, op *wire.Op, in any) ([]gateway.Check, error) {
	call := gateway.From(ctx)
	switch in := in.(type) {
	case *api.ListQueuesInput:
		return []gateway.Check{{}}, nil
	case *api.CreateQueueInput:
		return creation(call, in)
	case *api.GetQueueUrlInput:
		return s.check(call, op, named(call, in), nil)
	}
	switch in := in.(type) {
	case *api.StartMessageMoveTaskInput:
		return s.moveChecks(call, in)
	case *api.ListMessageMoveTasksInput:
		q, err := s.queueOfARN("SourceArn", in.SourceArn)
		if err != nil {
			return nil, err
		}
		return s.check(call, op, q.address, nil)
	case *api.CancelMessageMoveTaskInput:
		_, q, err := s.parseTask(in.TaskHandle)
		if err != nil {
			return nil, err
		}
		return s.check(call, op, q.address, nil)
	}
	a, err := addressOf(call, urlOf(in))
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{}
	switch in := in.(type) {
	case *api.TagQueueInput:
		requestTags(keys, in.Tags)
	case *api.UntagQueueInput:
		keys["aws:TagKeys"] = in.TagKeys
	}
	return s.check(call, op, a, keys)
}

// creation is decided before there is a queue. Who tags it needs the permission to.
func creation(call *gateway.Call, in *api.CreateQueueInput) ([]gateway.Check, error) {
	if in.QueueName == nil {
		return nil, invalid("Value for parameter QueueName is invalid. Reason: Must specify a " +
			"queue name.")
	}
	a := created(call, in)
	if err := creatable(a, lowered(in.Attributes)); err != nil {
		return nil, err
	}
	keys := map[string][]string{}
	requestTags(keys, in.Tags)
	list := []gateway.Check{{Resource: a.arn(), Type: queueType, Context: keys}}
	if len(in.Tags) > 0 {
		list = append(list, gateway.Check{
			Action: "sqs:TagQueue", Resource: a.arn(), Context: keys,
		})
	}
	return list, nil
}

// check is the decision about a queue that is there.
func (s *Service) check(
	call *gateway.Call, op *wire.Op, a address, keys map[string][]string,
) ([]gateway.Check, error) {
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return nil, s.missing(call, a)
	}
	r := q.row.Load()
	c := gateway.Check{
		Action: "sqs:" + strings.TrimSuffix(op.Name, "Batch"), Resource: a.arn(),
		Account: a.account, Type: queueType, Context: keys,
	}
	if call.Account == a.account || !ownAccount[op.Name] {
		c.Policy = policy.Policy{Name: a.name, Document: r.rules.policy}
	}
	for k, v := range r.Tags {
		if c.Context == nil {
			c.Context = map[string][]string{}
		}
		c.Context["aws:ResourceTag/"+k] = []string{v}
	}
	list := []gateway.Check{c}
	if r.rules.gated && r.rules.key == "" && c.Action == "sqs:ReceiveMessage" {
		list = append(list, gate(a))
	}
	return list, nil
}

// gate is the second decision about a receive of what rests on no customer's key: whether
// a policy of the principal's own allows kms:Decrypt of the queue. The queue's policy has
// no say in it, and so nobody of another account passes.
func gate(a address) gateway.Check {
	return gateway.Check{
		Action: "kms:Decrypt", Resource: a.arn(), Account: a.account,
		EncryptionContext: map[string]string{contextKey: a.arn()},
		Context: map[string][]string{
			"kms:ViaService": {"sqs." + a.region + ".amazonaws.com"},
		},
	}
}

func requestTags(keys map[string][]string, tags map[string]string) {
	for k, v := range tags {
		keys["aws:RequestTag/"+k] = []string{v}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], k)
	}
}

// urlOf gives the queue that a request names.
func urlOf(in any) string {
	switch in := in.(type) {
	case *api.AddPermissionInput:
		return in.QueueUrl
	case *api.ChangeMessageVisibilityInput:
		return in.QueueUrl
	case *api.ChangeMessageVisibilityBatchInput:
		return in.QueueUrl
	case *api.DeleteMessageInput:
		return in.QueueUrl
	case *api.DeleteMessageBatchInput:
		return in.QueueUrl
	case *api.DeleteQueueInput:
		return in.QueueUrl
	case *api.GetQueueAttributesInput:
		return in.QueueUrl
	case *api.ListDeadLetterSourceQueuesInput:
		return in.QueueUrl
	case *api.ListQueueTagsInput:
		return in.QueueUrl
	case *api.PurgeQueueInput:
		return in.QueueUrl
	case *api.ReceiveMessageInput:
		return in.QueueUrl
	case *api.RemovePermissionInput:
		return in.QueueUrl
	case *api.SendMessageInput:
		return in.QueueUrl
	case *api.SendMessageBatchInput:
		return in.QueueUrl
	case *api.SetQueueAttributesInput:
		return in.QueueUrl
	case *api.TagQueueInput:
		return in.QueueUrl
	case *api.UntagQueueInput:
		return in.QueueUrl
	}
	return ""
}
