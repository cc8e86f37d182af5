package sqs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// unretryable is what who changed something of what he received is told.
const unretryable = "for parameter ReceiveRequestAttemptId is invalid. Reason: The " +
	"receiveRequestAttemptId is not valid anymore since the receive call is not retryable."

// TestAttempts: a receive that is made again gets the same messages with the same handles
// and counts for a full visibility timeout, over a crash too, for five minutes.
func TestAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"VisibilityTimeout": "20"})
	w.do("SendMessage", object{"QueueUrl": url, "MessageGroupId": "a",
		"MessageDeduplicationId": "long", "MessageBody": strings.Repeat("a", 600_000)})
	w.order(url, "a", "a2")
	w.order(url, "b", "b1", "b2")
	in := object{"ReceiveRequestAttemptId": "first", "MaxNumberOfMessages": 3,
		"AttributeNames": []string{"All"}}
	first := w.receive(url, in)
	same := func() {
		t.Helper()
		again := w.receive(url, in)
		if len(again) != 3 || !slices.EqualFunc(first, again, func(x, y object) bool {
			a, b := x["Attributes"].(object), y["Attributes"].(object)
			return x["ReceiptHandle"] == y["ReceiptHandle"] && x["Body"] == y["Body"] &&
				a["ApproximateReceiveCount"] == b["ApproximateReceiveCount"] &&
				a["ApproximateFirstReceiveTimestamp"] == b["ApproximateFirstReceiveTimestamp"]
		}) {
			t.Fatalf("%.999v was received again as %.999v", first, again)
		}
	}
	same()
	for range 4 {
		w.pass(19 * time.Second)
		same()
		w.crash()
		same()
	}
	if got := w.receive(url, object{"ReceiveRequestAttemptId": "other"}); len(got) > 0 {
		t.Errorf("another attempt gave %q", texts(got))
	}
	w.pass(21 * time.Second)
	second := w.receive(url, in)
	if n := second[0]["Attributes"].(object)["ApproximateReceiveCount"]; n != "2" {
		t.Errorf("when the timeout was over it counted %v", n)
	}
	first = second
	same()
}

// TestAttemptsEnd: with a message that was deleted or whose timeout was changed a receive
// is not made again; after five minutes its id is a new one's.
func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"VisibilityTimeout": "600"})
	w.order(url, "a", "a1", "a2")
	in := object{"ReceiveRequestAttemptId": "x", "QueueUrl": url, "MaxNumberOfMessages": 10}
	first := w.receive(url, in)
	w.drop(url, first[0])
	w.refused("ROOT", "ReceiveMessage", in, "InvalidParameterValue", "Value x "+unretryable)
	w.crash()
	w.refused("ROOT", "ReceiveMessage", in, "InvalidParameterValue", unretryable)
	change := object{"QueueUrl": url, "ReceiptHandle": first[1]["ReceiptHandle"]}
	change["VisibilityTimeout"] = 0
	w.do("ChangeMessageVisibility", change)
	second := w.want(url, "a2")
	if second[0]["ReceiptHandle"] == first[1]["ReceiptHandle"] {
		t.Error("a released message came with its old handle")
	}
	w.order(url, "b", "b1", "b2")
	third := w.receive(url, in)
	change["ReceiptHandle"], change["VisibilityTimeout"] = third[1]["ReceiptHandle"], 600
	w.do("ChangeMessageVisibility", change)
	w.refused("ROOT", "ReceiveMessage", in, "InvalidParameterValue", unretryable)
	w.pass(5 * time.Minute)
	w.order(url, "c", "c1")
	if got := w.receive(url, in); !slices.Equal(texts(got), []string{"c1"}) {
		t.Errorf("five minutes later: %q", texts(got))
	}
	if got := w.receive(url, in); !slices.Equal(texts(got), []string{"c1"}) {
		t.Errorf("again: %q", texts(got))
	}
	plain := w.create("plain", nil)
	w.send(plain, "a", "b")
	for _, want := range []string{"a", "b"} {
		in := object{"ReceiveRequestAttemptId": "x", "MaxNumberOfMessages": 1}
		if got := w.receive(plain, in); !slices.Equal(texts(got), []string{want}) {
			t.Errorf("of a standard queue: %q", texts(got))
		}
	}
}

// TestAttemptsCut: an answer that was cut by its size is the same when the receive is made
// again, though groups were taken out of the order in which messages came.
func TestAttemptsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"VisibilityTimeout": "60"})
	send := func(group, id string, size int) {
		w.do("SendMessage", object{"QueueUrl": url, "MessageGroupId": group,
			"MessageDeduplicationId": id, "MessageBody": strings.Repeat(id, size)})
	}
	send("a", "1", 2000)
	send("b", "2", maxPayload-1000)
	send("a", "3", 2000)
	w.order(url, "c", "rest")
	for range 3 { // the second of a is met, and waits for the first
		w.receive(url, object{"MaxNumberOfMessages": 1})
	}
	w.pass(61 * time.Second)
	in := object{"ReceiveRequestAttemptId": "cut"}
	first := w.receive(url, in)
	if n := len(first); n != 3 || slices.Contains(texts(first), "rest") {
		t.Fatalf("received %d messages, not what fits", n)
	}
	w.again(url, in, first)
	w.crash()
	w.again(url, in, first)
	w.want(url, "rest")
}

// again receives once more what was received before, and nothing else.
func (w *world) again(url string, in object, first []object) {
	w.t.Helper()
	again := w.receive(url, in)
	if !slices.EqualFunc(first, again, func(x, y object) bool {
		return x["ReceiptHandle"] == y["ReceiptHandle"] && x["Body"] == y["Body"]
	}) {
		w.t.Fatalf("%d messages %.999v were received again as %d, %.999v", len(first), first,
			len(again), again)
	}
}

// TestAttemptsPassOver_SQS13: a receive that passed over messages which it cannot open is
// the same when it is made again, as is one whose messages cannot be opened any more.
func TestAttemptsPassOver_SQS13(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := []string{w.key(""), w.key(""), w.key("")}
	set := sseKMS(keys[0])
	set["FifoQueue"] = "true"
	url := w.create("orders.fifo", set)
	delete(set, "FifoQueue")
	w.sendMany(url, 15, "a")
	for i, key := range keys[1:] {
		set["KmsMasterKeyId"] = key
		w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": set})
		w.sendMany(url, 8, string(rune('b'+i)))
	}
	w.change("DisableKey", keys[0])
	in := object{"ReceiveRequestAttemptId": "x"}
	first := w.receive(url, in)
	if len(first) != maxBatch {
		t.Fatalf("received %q", texts(first))
	}
	w.again(url, in, first)
	w.crash()
	w.again(url, in, first)
	w.change("DisableKey", keys[1])
	w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url, "ReceiveRequestAttemptId": "x"},
		"KMS.DisabledException", keys[1])
	w.change("EnableKey", keys[1])
	w.again(url, in, first)
	w.drop(url, first...)
}
