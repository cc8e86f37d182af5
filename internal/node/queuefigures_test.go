package node

import (
	"fmt"

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
}
