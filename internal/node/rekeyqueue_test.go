package node

import (
	"context"
	"fmt"
	"strings"
	"testing"

	cofferapi "coffer/internal/aws/api/coffer"
	kmsapi "coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/service/iam"
)

// sqs is SQS as the root user reaches it.
func (w *world) sqs() api.Client {
	return api.Client{Caller: &gateway.Caller{
		Gateway: w.n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
}

// queueOn makes a queue with dead letters and sends a message under each of the keys.
func (w *world) queueOn(keys ...string) (url, dead string) {
	w.t.Helper()
	ctx, c := w.t.Context(), w.sqs()
	made, err := c.CreateQueue(ctx, &api.CreateQueueInput{QueueName: new("dead")})
	must(w.t, err)
	dead = made.QueueUrl
	made, err = c.CreateQueue(ctx, &api.CreateQueueInput{QueueName: new("orders"),
		Attributes: map[string]string{"RedrivePolicy": fmt.Sprintf(
			`{"deadLetterTargetArn":"arn:aws:sqs:%s:%s:dead","maxReceiveCount":1}`,
			Region, Account)}})
	must(w.t, err)
	for i, key := range keys {
		_, err = c.SetQueueAttributes(ctx, &api.SetQueueAttributesInput{QueueUrl: made.QueueUrl,
			Attributes: map[string]string{"KmsMasterKeyId": key}})
		must(w.t, err)
		_, err = c.SendMessage(ctx, &api.SendMessageInput{QueueUrl: made.QueueUrl,
			MessageBody: fmt.Sprint(i)})
		must(w.t, err)
	}
	return made.QueueUrl, dead
}

// takes receives a message with this body, and deletes it if wanted.
func (w *world) takes(url, body string, drop bool) {
	w.t.Helper()
	ctx, c := w.t.Context(), w.sqs()
	got, err := c.ReceiveMessage(ctx, &api.ReceiveMessageInput{QueueUrl: url,
		WaitTimeSeconds: new(int32(20)), VisibilityTimeout: new(int32(0))})
	must(w.t, err)
	if len(got.Messages) != 1 || got.Messages[0].Body != body {
		w.t.Fatalf("received %+v, want %q", got.Messages, body)
	}
	if drop {
		_, err = c.DeleteMessage(ctx, &api.DeleteMessageInput{QueueUrl: url,
			ReceiptHandle: got.Messages[0].ReceiptHandle})
		must(w.t, err)
	}
}

// TestRekeyQueue_D07: what was sent to a queue under former keys rests on the present one,
// dead letters too and after the queue was deleted; the former keys are not in use then, and
// nothing needs them any more (SQS-13).
func TestRekeyQueue_D07(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t, nil)
	c := w.reach()
	one, two, now := w.newKey(), w.newKey(), w.newKey()
	url, dead := w.queueOn(one, two, now)
	w.takes(url, "0", false) // a dead letter
	rekey := func(queue, key string) (*cofferapi.RekeyQueueOutput, error) {
		return c.RekeyQueue(ctx, &cofferapi.RekeyQueueInput{QueueName: queue, KmsKeyId: key})
	}
	inUse := func(key string, users int) {
		t.Helper()
		out, err := c.DescribeKeyUsage(ctx, &cofferapi.DescribeKeyUsageInput{KeyId: key})
		must(t, err)
		if *out.Usage.InUse != (users > 0) || len(out.Usage.Users) != users {
			t.Errorf("%s is used by %+v", key, out.Usage.Users)
		}
	}
	inUse(one, 1)
	_, err := w.keys().DisableKey(ctx, &kmsapi.DisableKeyInput{KeyId: one})
	must(t, err)
	if out, err := rekey("orders", ""); err != nil || *out.DataKeys != 1 || *out.Left != 1 ||
		out.KmsKeyId != now {
		t.Errorf("beside a key that is disabled: %+v, %v", out, err)
	}
	if _, err := rekey("orders", ""); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "disabled") {
		t.Errorf("from a key that is disabled: %v", err)
	}
	_, err = w.keys().EnableKey(ctx, &kmsapi.EnableKeyInput{KeyId: one})
	must(t, err)
	report, err := RekeyQueue(ctx, KeyRequest{Data: w.cfg.Data, Queue: "orders"}, nil)
	if err != nil || !strings.Contains(report.Text, ": 1 data keys were wrapped anew") {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, key := range []string{one, two} {
		inUse(key, 0)
		_, err := w.keys().ScheduleKeyDeletion(ctx, &kmsapi.ScheduleKeyDeletionInput{KeyId: key})
		must(t, err)
	}
	inUse(now, 1)
	w.takes(url, "1", true)
	w.stop()
	w.start()
	w.takes(url, "2", true)
	_, err = w.sqs().DeleteQueue(ctx, &api.DeleteQueueInput{QueueUrl: url})
	must(t, err)
	w.leaveDeleted(now, dead)
}

// leaveDeleted lets the dead letter of a queue that is gone leave its key, and shows that
// each key counts.
func (w *world) leaveDeleted(old, dead string) {
	w.t.Helper()
	ctx, c := context.WithoutCancel(w.t.Context()), w.reach()
	in := &cofferapi.RekeyQueueInput{QueueName: "orders"}
	if _, err := c.RekeyQueue(ctx, in); fault.KindOf(err) != fault.NotFound {
		w.t.Errorf("a queue that is gone, without a key: %v", err)
	}
	in.QueueName = "dead"
	if _, err := c.RekeyQueue(ctx, in); fault.KindOf(err) != fault.Invalid {
		w.t.Errorf("a queue without a key of its own: %v", err)
	}
	in.QueueName, in.KmsKeyId = "orders", w.newKey()
	if out, err := c.RekeyQueue(ctx, in); err != nil || *out.Left != 0 {
		w.t.Fatalf("%+v, %v", out, err)
	}
	_, err := w.keys().DisableKey(ctx, &kmsapi.DisableKeyInput{KeyId: old})
	must(w.t, err)
	w.takes(dead, "0", false)
	_, err = w.keys().DisableKey(ctx, &kmsapi.DisableKeyInput{KeyId: in.KmsKeyId})
	must(w.t, err)
	_, err = w.sqs().ReceiveMessage(ctx, &api.ReceiveMessageInput{QueueUrl: dead})
	if err == nil || !strings.Contains(err.Error(), in.KmsKeyId+" is disabled") {
		w.t.Errorf("with its key disabled: %v", err)
	}
}
