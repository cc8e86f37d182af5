package sqs

import (
	"testing"
)

// TestRoom: on a full disk nothing is sent, and what is there is received and deleted.
func TestRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.send(url, "a")
	w.full.Store(true)
	w.refused("ROOT", "SendMessage", object{"QueueUrl": url, "MessageBody": "b"},
		"RequestThrottled", "The disk is full.")
	out := w.do("SendMessageBatch", object{"QueueUrl": url,
		"Entries": []object{{"Id": "a", "MessageBody": "b"}}})
	if got := outcome(out); got != "a-RequestThrottled" {
		t.Errorf("batch: %s", got)
	}
	m := w.one(url, nil)
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	w.full.Store(false)
	w.send(url, "b")
	if got := w.bodies(url, 1); got[0] != "b" {
		t.Errorf("received %q", got)
	}
}
