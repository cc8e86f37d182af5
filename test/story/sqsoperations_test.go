package story

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// TestQueueOperations drives with AWS's SDK the operations that the other stories of
// queues do not.
func TestQueueOperations(t *testing.T) {
	t.Parallel()
	a := start(t).AWS()
	name := aws.String("jobs")
	url := kit.Do(t, a.SQS.CreateQueue, &sqs.CreateQueueInput{QueueName: name}).QueueUrl
	kit.Do(t, a.SQS.SetQueueAttributes, &sqs.SetQueueAttributesInput{
		QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "600"},
	})
	if got := queueAttribute(t, a, url, "VisibilityTimeout"); got != "600" {
		t.Errorf("visibility timeout %q", got)
	}
	list := kit.Do(t, a.SQS.ListQueues, &sqs.ListQueuesInput{QueueNamePrefix: name})
	if len(list.QueueUrls) != 1 || list.QueueUrls[0] != *url {
		t.Errorf("listed %v", list.QueueUrls)
	}
	kit.Do(t, a.SQS.TagQueue, &sqs.TagQueueInput{
		QueueUrl: url, Tags: map[string]string{"a": "1", "b": ""},
	})
	kit.Do(t, a.SQS.UntagQueue, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"a"}})
	tags := kit.Do(t, a.SQS.ListQueueTags, &sqs.ListQueueTagsInput{QueueUrl: url}).Tags
	if _, ok := tags["b"]; !ok || len(tags) != 1 {
		t.Errorf("tags %v", tags)
	}
	kit.Do(t, a.SQS.AddPermission, &sqs.AddPermissionInput{
		QueueUrl: url, Label: name, AWSAccountIds: []string{secondAccount},
		Actions: []string{"SendMessage"},
	})
	kit.Do(t, a.SQS.RemovePermission, &sqs.RemovePermissionInput{QueueUrl: url, Label: name})
	if got := queueAttribute(t, a, url, "Policy"); got != "" {
		t.Errorf("policy %q", got)
	}
	visibilities(t, a, url)
	moves(t, a, url)
	kit.Do(t, a.SQS.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: url})
	kit.Refused(t, a.SQS.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: url},
		"AWS.SimpleQueueService.PurgeQueueInProgress")
}

func queueAttribute(t *testing.T, a *kit.AWS, url *string, name string) string {
	t.Helper()
	return kit.Do(t, a.SQS.GetQueueAttributes, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeName(name)},
	}).Attributes[name]
}

// visibilities gives a message back at once, alone and in a batch, and deletes it.
func visibilities(t *testing.T, a *kit.AWS, url *string) {
	t.Helper()
	kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	receive := &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20}
	first := kit.Do(t, a.SQS.ReceiveMessage, receive).Messages[0]
	kit.Do(t, a.SQS.ChangeMessageVisibility, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: first.ReceiptHandle, VisibilityTimeout: 0,
	})
	second := kit.Do(t, a.SQS.ReceiveMessage, receive).Messages[0]
	id := aws.String("one")
	changed := kit.Do(t, a.SQS.ChangeMessageVisibilityBatch, &sqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: url, Entries: []sqstypes.ChangeMessageVisibilityBatchRequestEntry{
			{Id: id, ReceiptHandle: second.ReceiptHandle, VisibilityTimeout: 0},
			{Id: aws.String("two"), ReceiptHandle: aws.String("rotten"), VisibilityTimeout: 0},
		},
	})
	if len(changed.Successful) != 1 || len(changed.Failed) != 1 ||
		aws.ToString(changed.Failed[0].Code) != "ReceiptHandleIsInvalid" {
		t.Errorf("changed %+v", changed)
	}
	third := kit.Do(t, a.SQS.ReceiveMessage, receive).Messages[0]
	deleted := kit.Do(t, a.SQS.DeleteMessageBatch, &sqs.DeleteMessageBatchInput{
		QueueUrl: url, Entries: []sqstypes.DeleteMessageBatchRequestEntry{
			{Id: id, ReceiptHandle: third.ReceiptHandle}},
	})
	if len(deleted.Successful) != 1 {
		t.Errorf("deleted %+v", deleted)
	}
}

// moves lets a message die and moves it back to where it came from.
func moves(t *testing.T, a *kit.AWS, url *string) {
	t.Helper()
	dead := kit.Do(t, a.SQS.CreateQueue, &sqs.CreateQueueInput{
		QueueName: aws.String("dead"),
	}).QueueUrl
	arn := queueAttribute(t, a, dead, "QueueArn")
	kit.Do(t, a.SQS.SetQueueAttributes, &sqs.SetQueueAttributesInput{
		QueueUrl: url, Attributes: map[string]string{
			"RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":1}`},
	})
	sources := kit.Do(t, a.SQS.ListDeadLetterSourceQueues, &sqs.ListDeadLetterSourceQueuesInput{
		QueueUrl: dead,
	}).QueueUrls
	if len(sources) != 1 || sources[0] != *url {
		t.Errorf("sources %v", sources)
	}
	kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	receive := &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20}
	got := kit.Do(t, a.SQS.ReceiveMessage, receive).Messages
	kit.Do(t, a.SQS.ChangeMessageVisibility, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0,
	})
	kit.Do(t, a.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: url})
	kit.Wait(t, "what is moved", func() bool {
		return queueAttribute(t, a, dead, "ApproximateNumberOfMessages") == "1"
	})
	handle := kit.Do(t, a.SQS.StartMessageMoveTask, &sqs.StartMessageMoveTaskInput{
		SourceArn: &arn,
	}).TaskHandle
	kit.Wait(t, "what is moved", func() bool {
		tasks := kit.Do(t, a.SQS.ListMessageMoveTasks, &sqs.ListMessageMoveTasksInput{
			SourceArn: &arn,
		}).Results
		return aws.ToString(tasks[0].Status) == "COMPLETED"
	})
	kit.Refused(t, a.SQS.CancelMessageMoveTask, &sqs.CancelMessageMoveTaskInput{
		TaskHandle: aws.String(*handle + "x"),
	}, "InvalidParameterValue")
	if list := kit.Do(t, a.SQS.ReceiveMessage, receive).Messages; len(list) != 1 {
		t.Errorf("%d messages came back", len(list))
	}
	cancelMove(t, a, dead, queueAttribute(t, a, url, "QueueArn"))
}

// cancelMove cancels a task while it runs: what it has not moved stays where it is.
func cancelMove(t *testing.T, a *kit.AWS, dead *string, target string) {
	t.Helper()
	const slow = 100 // messages, of which the task moves one a second
	for i := range slow {
		kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
			QueueUrl: dead, MessageBody: aws.String(strconv.Itoa(i)),
		})
	}
	source := aws.String(queueAttribute(t, a, dead, "QueueArn"))
	handle := kit.Do(t, a.SQS.StartMessageMoveTask, &sqs.StartMessageMoveTaskInput{
		SourceArn: source, DestinationArn: &target, MaxNumberOfMessagesPerSecond: aws.Int32(1),
	}).TaskHandle
	kit.Do(t, a.SQS.CancelMessageMoveTask, &sqs.CancelMessageMoveTaskInput{TaskHandle: handle})
	var last sqstypes.ListMessageMoveTasksResultEntry
	kit.Wait(t, "the end of the task", func() bool {
		last = kit.Do(t, a.SQS.ListMessageMoveTasks, &sqs.ListMessageMoveTasksInput{
			SourceArn: source,
		}).Results[0]
		return aws.ToString(last.Status) == "CANCELLED"
	})
	left := queueAttribute(t, a, dead, "ApproximateNumberOfMessages")
	moved := last.ApproximateNumberOfMessagesMoved
	if want := strconv.FormatInt(slow-moved, 10); left != want {
		t.Errorf("%s messages are left, want %s", left, want)
	}
}
