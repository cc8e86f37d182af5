package story

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// TestQueues sends with AWS's SDK, which compares the digests, kills the process, and
// receives: nothing is lost, nothing readable is on disk, and the trail tells of the
// queue but not of its messages (SQS-02, SQS-04, SQS-09).
func TestQueues(t *testing.T) {
	t.Parallel()
	const name, secret, tag = "salaries-of-marker", "a body of marker 7", "value-of-marker"
	s := start(t)
	a := s.AWS()
	in := &sqs.CreateQueueInput{
		QueueName: aws.String(name), Tags: map[string]string{"team": tag},
		Attributes: map[string]string{"SqsManagedSseEnabled": "true", "KmsMasterKeyId": ""},
	}
	url := kit.Do(t, a.SQS.CreateQueue, in).QueueUrl
	out := kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String(secret),
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{
			"marker": {DataType: aws.String("Binary"), BinaryValue: []byte(secret)},
		},
	})
	batch := &sqs.SendMessageBatchInput{QueueUrl: url}
	for i := range 5 {
		batch.Entries = append(batch.Entries, sqstypes.SendMessageBatchRequestEntry{
			Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint("batch ", i)),
		})
	}
	if sent := kit.Do(t, a.SQS.SendMessageBatch, batch); len(sent.Successful) != 5 {
		t.Errorf("sent %+v", sent)
	}
	s.Kill()
	for _, word := range []string{name, secret, tag} {
		if files := kit.Scan(t, s.Data(), word); len(files) > 0 {
			t.Errorf("%q is in %q", word, files)
		}
	}
	s.Restart()
	a = s.AWS()
	url = known(t, a, name)
	got := takeAll(t, a, url, 6)
	first := got[secret]
	if aws.ToString(first.MessageId) != aws.ToString(out.MessageId) ||
		string(first.MessageAttributes["marker"].BinaryValue) != secret {
		t.Errorf("received %+v, sent %+v", first, out)
	}
	kit.Do(t, a.SQS.DeleteQueue, &sqs.DeleteQueueInput{QueueUrl: url})
	var names []string
	for _, e := range a.Events(t, types.LookupAttributeKeyEventSource, "sqs.amazonaws.com") {
		names = append(names, e.At("eventName").(string))
	}
	if want := []string{"CreateQueue", "GetQueueUrl", "DeleteQueue"}; !slices.Equal(names, want) {
		t.Errorf("the trail has %q", names)
	}
	s.Stop()
	expect(t, 0, "0 damaged", "check", "--data", s.Data())
}

// takeAll receives and deletes n messages, and gives them by their bodies.
func takeAll(t *testing.T, a *kit.AWS, url *string, n int) map[string]sqstypes.Message {
	t.Helper()
	got := map[string]sqstypes.Message{}
	for len(got) < n {
		out := kit.Do(t, a.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20,
			MessageAttributeNames: []string{"All"},
		})
		for _, m := range out.Messages {
			got[aws.ToString(m.Body)] = m
			kit.Do(t, a.SQS.DeleteMessage, &sqs.DeleteMessageInput{
				QueueUrl: url, ReceiptHandle: m.ReceiptHandle,
			})
		}
	}
	return got
}

// TestQueueAcrossAccounts: with SSE-SQS the queue's policy and the caller's own are
// enough (SQS-06), and neither is without the other; a policy lets nobody of another
// account delete the queue.
func TestQueueAcrossAccounts(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	id, secret := newAccount(t, s.Data(), secondAccount)
	s.Secret(secret)
	b := s.AWSAs(id, secret)
	url := kit.Do(t, a.SQS.CreateQueue, &sqs.CreateQueueInput{
		QueueName: aws.String("shared"),
	}).QueueUrl
	kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String("aaaa"),
	})
	receive := &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20}
	kit.Refused(t, b.SQS.ReceiveMessage, receive, "AccessDenied")
	kit.Do(t, a.SQS.SetQueueAttributes, &sqs.SetQueueAttributesInput{
		QueueUrl: url, Attributes: map[string]string{"Policy": `{"Statement":{"Effect":"Allow",` +
			`"Principal":{"AWS":"` + secondAccount + `"},"Action":"sqs:*","Resource":` +
			`"arn:aws:sqs:us-east-1:` + firstAccount + `:shared"}}`},
	})
	got := kit.Do(t, b.SQS.ReceiveMessage, receive).Messages
	if len(got) != 1 || aws.ToString(got[0].MD5OfBody) != "74b87337454200d4d33f80c4663dc5e5" {
		t.Errorf("received %+v", got)
	}
	carol := user(t, s, b, "carol", allow("sts:*", ""))
	kit.Refused(t, carol.SQS.ReceiveMessage, receive, "AccessDenied")
	kit.Refused(t, b.SQS.DeleteQueue, &sqs.DeleteQueueInput{QueueUrl: url}, "AccessDenied")
}

// TestQueueRestored backs a queue up while it is served, restores it elsewhere and replaces
// the platform key there: the messages and the receipt handles are what they were.
func TestQueueRestored(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	url := kit.Do(t, a.SQS.CreateQueue, &sqs.CreateQueueInput{
		QueueName: aws.String("orders"),
	}).QueueUrl
	for _, text := range []string{"first", "second", "third"} {
		kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String(text),
		})
	}
	first := kit.Do(t, a.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{
		QueueUrl: url, WaitTimeSeconds: 20, VisibilityTimeout: 43200,
	}).Messages[0]
	backup, data := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	key := filepath.Join(s.Data(), "root.key")
	expect(t, 0, "is complete", "backup", "--data", s.Data(), "--to", backup)
	s.Stop()
	expect(t, 0, "restored", "restore", "--from", backup, "--data", data, "--root-key", key)
	s = kit.Start(t, kit.Config{Binary: binary, Data: data,
		Args: []string{"--ports", "auto", "--root-key", key}})
	a = s.AWS()
	url = known(t, a, "orders")
	expect(t, 0, "was replaced", "platform", "rotate", "--data", data, "--root-key", key)
	if got := takeAll(t, a, url, 2); len(got) != 2 || got["second"].Body == nil {
		t.Errorf("received %v", got)
	}
	kit.Do(t, a.SQS.DeleteMessage, &sqs.DeleteMessageInput{
		QueueUrl: url, ReceiptHandle: first.ReceiptHandle,
	})
	shown := kit.Do(t, a.SQS.GetQueueAttributes, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []sqstypes.QueueAttributeName{"All"},
	}).Attributes
	for _, name := range []string{"", "NotVisible"} {
		if n := shown["ApproximateNumberOfMessages"+name]; n != "0" {
			t.Errorf("%s messages are left: %v", n, shown)
		}
	}
}
