package node

import (
	"crypto/rand"
	"fmt"
	"testing"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/service/iam"
)

// moveQueues plays what is done to messages of SQS, and leaves some behind.
func (w *tenant) moveQueues() {
	w.t.Helper()
	ctx := w.t.Context()
	c := api.Client{Caller: &gateway.Caller{
		Gateway: w.n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
	made, err := c.CreateQueue(ctx, &api.CreateQueueInput{QueueName: new("moving")})
	must(w.t, err)
	receive := &api.ReceiveMessageInput{QueueUrl: made.QueueUrl}
	_, err = c.ReceiveMessage(ctx, receive)
	must(w.t, err)
	for i := range 4 {
		send := &api.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: fmt.Sprint(i)}
		if i == 0 {
			send.DelaySeconds = new(int32(900))
		}
		_, err = c.SendMessage(ctx, send)
		must(w.t, err)
	}
	receive.WaitTimeSeconds = new(int32(20))
	for i := range 2 {
		got, err := c.ReceiveMessage(ctx, receive)
		must(w.t, err)
		if i > 0 {
			continue
		}
		_, err = c.DeleteMessage(ctx, &api.DeleteMessageInput{
			QueueUrl: made.QueueUrl, ReceiptHandle: got.Messages[0].ReceiptHandle,
		})
		must(w.t, err)
	}
	w.moveSweep()
}

// moveSweep plays a daily sweep that finds a data key.
func (w *tenant) moveSweep() {
	w.t.Helper()
	w.unneeded()
	w.n.sweepOnce(w.t.Context())
}

// unneeded leaves a data key that no message needs.
func (w *world) unneeded() {
	w.t.Helper()
	ctx, c := w.t.Context(), w.sqs()
	name := "swept-" + rand.Text()
	under := func() map[string]string { return map[string]string{"KmsMasterKeyId": w.newKey()} }
	made, err := c.CreateQueue(ctx, &api.CreateQueueInput{QueueName: &name, Attributes: under()})
	must(w.t, err)
	send := &api.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: "x"}
	_, err = c.SendMessage(ctx, send)
	must(w.t, err)
	got, err := c.ReceiveMessage(ctx, &api.ReceiveMessageInput{QueueUrl: made.QueueUrl,
		WaitTimeSeconds: new(int32(20))})
	must(w.t, err)
	_, err = c.DeleteMessage(ctx, &api.DeleteMessageInput{QueueUrl: made.QueueUrl,
		ReceiptHandle: got.Messages[0].ReceiptHandle})
	must(w.t, err)
	_, err = c.SetQueueAttributes(ctx, &api.SetQueueAttributesInput{QueueUrl: made.QueueUrl,
		Attributes: under()})
	must(w.t, err)
	_, err = c.SendMessage(ctx, send) // the queue has a data key under the other one now
	must(w.t, err)
}

// TestSweepCounts: a sweep that fails is counted as such, and leaves the time of the last
// that did not.
func TestSweepCounts(t *testing.T) {
	t.Parallel()
	const name = "coffer_sqs_key_sweep"
	w := newWorld(t, nil)
	look := func(succeeded, wrong, removed string) (last string) {
		t.Helper()
		all := w.coffers()
		runs := all[name+"s_total"].values
		gone := all["coffer_sqs_data_keys_removed_total"].values
		if runs[name+`s_total{outcome="done"}`] != succeeded ||
			runs[name+`s_total{outcome="failed"}`] != wrong ||
			gone["coffer_sqs_data_keys_removed_total"] != removed {
			t.Errorf("sweeps %v, removed %v", runs, gone)
		}
		return all[name+"_last_timestamp_seconds"].values[name+"_last_timestamp_seconds"]
	}
	if last := look("0", "0", "0"); last != "0" {
		t.Errorf("the last sweep before the first was at %s", last)
	}
	w.unneeded()
	w.n.sweepOnce(t.Context())
	last := look("1", "0", "1")
	if last == "0" {
		t.Error("a sweep that ended well has no time")
	}
	w.unneeded()
	// Somebody else has shard 0 now.
	_, err := w.n.engine.Open(t.Context(), w.n.engine.Shards()[0])
	must(t, err)
	w.n.sweepOnce(t.Context())
	if now := look("1", "1", "1"); now != last {
		t.Errorf("a sweep that failed moved the time from %s to %s", last, now)
	}
	if err := w.n.Stop(t.Context()); err != nil {
		t.Logf("stop: %v", err)
	}
	w.n = nil
}
