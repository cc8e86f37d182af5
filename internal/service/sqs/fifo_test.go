package sqs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fifo makes a FIFO queue and gives its URL.
func (w *world) fifo(name string, more object) string {
	w.t.Helper()
	set := object{"FifoQueue": "true"}
	for k, v := range more {
		set[k] = v
	}
	return w.create(name, set)
}

// order sends bodies to a group, each with itself as deduplication id, and gives the last
// answer.
func (w *world) order(url, group string, bodies ...string) (out object) {
	w.t.Helper()
	for _, b := range bodies {
		out = w.do("SendMessage", object{"QueueUrl": url, "MessageBody": b,
			"MessageGroupId": group, "MessageDeduplicationId": b})
	}
	return out
}

// texts are the bodies of messages.
func texts(list []object) (all []string) {
	for _, m := range list {
		all = append(all, m["Body"].(string))
	}
	return all
}

func (w *world) want(url string, bodies ...string) []object {
	w.t.Helper()
	list := w.receive(url, object{"AttributeNames": []string{"All"}})
	if !slices.Equal(texts(list), bodies) {
		w.t.Fatalf("received %q, want %q", texts(list), bodies)
	}
	return list
}

func (w *world) drop(url string, list ...object) {
	w.t.Helper()
	for _, m := range list {
		w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	}
}

// TestGroups holds the order of groups and that one receiver has each at a time, over
// restarts and crashes.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"VisibilityTimeout": "60"})
	w.order(url, "a", "a1", "a2", "a3")
	w.order(url, "b", "b1")
	first := w.receive(url, object{"MaxNumberOfMessages": 2})
	if !slices.Equal(texts(first), []string{"a1", "a2"}) {
		t.Fatalf("received %q", texts(first))
	}
	w.want(url, "b1")
	w.drop(url, first[0])
	w.crash()
	w.want(url)
	w.drop(url, first[1])
	w.restart()
	third := w.want(url, "a3")
	w.order(url, "a", "a4")
	w.want(url)
	w.pass(61 * time.Second)
	got := w.receive(url, nil)
	slices.SortFunc(got, func(x, y object) int {
		return strings.Compare(x["Body"].(string)[:1], y["Body"].(string)[:1])
	})
	if !slices.Equal(texts(got), []string{"a3", "a4", "b1"}) {
		t.Errorf("after the visibility timeout: %q", texts(got))
	}
	w.refused("ROOT", "DeleteMessage",
		object{"QueueUrl": url, "ReceiptHandle": third[0]["ReceiptHandle"]},
		"InvalidParameterValue", "Reason: The receipt handle has expired.")
	out := w.do("DeleteMessageBatch", object{"QueueUrl": url, "Entries": []object{
		{"Id": "late", "ReceiptHandle": third[0]["ReceiptHandle"]},
		{"Id": "good", "ReceiptHandle": got[0]["ReceiptHandle"]},
	}})
	if len(out["Failed"].([]any)) != 1 || len(out["Successful"].([]any)) != 1 {
		t.Errorf("batch of a late and a good handle: %v", out)
	}
	w.pass(61 * time.Second) // nobody has received a4 since
	w.refused("ROOT", "DeleteMessage",
		object{"QueueUrl": url, "ReceiptHandle": got[1]["ReceiptHandle"]},
		"InvalidParameterValue", "Reason: The receipt handle has expired.")
}

// TestDeleteAgain: a message of a FIFO queue that was deleted can be deleted again by any
// handle that the queue gave for it, while others wait behind it, and after a restart or a
// crash. A late handle of one that is there is refused.
func TestDeleteAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"VisibilityTimeout": "60"})
	w.order(url, "a", "a1", "a2", "a3")
	w.order(url, "b", "b1", "b2")
	late := w.want(url, "a1", "a2", "a3", "b1", "b2")
	w.pass(61 * time.Second)
	got := w.want(url, "a1", "a2", "a3", "b1", "b2")
	w.drop(url, got[1], got[3])
	w.pass(61 * time.Second)
	check := func() {
		t.Helper()
		w.drop(url, got[1], got[3], late[1], late[3])
		for _, m := range []object{got[0], got[2], got[4], late[0], late[4]} {
			w.refused("ROOT", "DeleteMessage",
				object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]},
				"InvalidParameterValue", "Reason: The receipt handle has expired.")
		}
		for m, why := range map[*object]string{
			&got[1]: "InvalidParameterValue", &got[0]: "AWS.SimpleQueueService.MessageNotInflight",
		} {
			w.refused("ROOT", "ChangeMessageVisibility", object{"QueueUrl": url,
				"ReceiptHandle": (*m)["ReceiptHandle"], "VisibilityTimeout": 5}, why, "")
		}
	}
	check()
	w.restart()
	check()
	w.crash()
	check()
	if n := w.attribute(url, "ApproximateNumberOfMessages"); n != "3" {
		t.Errorf("%s messages are left", n)
	}
	for range 3 { // what is to be read may not come at once
		w.drop(url, w.one(url, nil))
	}
	w.restart()
	w.drop(url, append(got, late...)...)
}

// TestSequenceNumbers: 20 digits that grow, told at the send and at each receive.
func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"DelaySeconds": "5", "VisibilityTimeout": "60"})
	var sent []string
	for _, body := range []string{"a", "b", "c"} {
		sent = append(sent, w.order(url, "g", body)["SequenceNumber"].(string))
	}
	if !slices.IsSorted(sent) || len(sent[0]) != 20 || len(sent[2]) != 20 {
		t.Errorf("sequence numbers %q", sent)
	}
	w.want(url)
	if n := w.attribute(url, "ApproximateNumberOfMessagesDelayed"); n != "3" {
		t.Errorf("%s messages are delayed", n)
	}
	w.pass(5 * time.Second)
	for i, m := range w.want(url, "a", "b", "c") {
		all := m["Attributes"].(object)
		if all["SequenceNumber"] != sent[i] || all["MessageGroupId"] != "g" ||
			all["MessageDeduplicationId"] != m["Body"] {
			t.Errorf("attributes %v, want number %s", all, sent[i])
		}
	}
}

// TestDelayOfFIFO: a delay is of the queue, counts for what is there, and changes no order.
func TestDelayOfFIFO(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"DelaySeconds": "900"})
	w.order(url, "g", "1")
	w.restart()
	w.want(url)
	w.do("SetQueueAttributes", object{
		"QueueUrl": url, "Attributes": object{"DelaySeconds": "0"},
	})
	w.order(url, "g", "2")
	w.want(url, "1", "2")
}

// TestDelayOfGroup: a delay counts for what waits behind others of its group, too.
func TestDelayOfGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", nil)
	w.order(url, "g", "1")
	w.pass(10 * time.Second)
	w.order(url, "g", "2")
	first := w.receive(url, object{"MaxNumberOfMessages": 1})
	w.want(url)
	w.do("ChangeMessageVisibility", object{
		"QueueUrl": url, "ReceiptHandle": first[0]["ReceiptHandle"], "VisibilityTimeout": 0,
	})
	w.do("SetQueueAttributes", object{
		"QueueUrl": url, "Attributes": object{"DelaySeconds": "5"},
	})
	w.drop(url, w.want(url, "1")...)
	w.want(url)
	w.pass(5 * time.Second)
	w.want(url, "2")
}

// TestDeduplication: by id or content, in the queue or in a group, for five minutes, also
// over a crash.
func TestDeduplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.fifo("whole.fifo", object{"ContentBasedDeduplication": "true"})
	groups := w.fifo("groups.fifo", object{"ContentBasedDeduplication": "true",
		"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
	send := func(url, group, body, id string) object {
		in := object{"QueueUrl": url, "MessageBody": body, "MessageGroupId": group}
		if id != "" {
			in["MessageDeduplicationId"] = id
		}
		return w.do("SendMessage", in)
	}
	for _, url := range []string{whole, groups} {
		first := send(url, "a", "x", "")
		w.crash()
		again := send(url, "a", "x", "")
		if again["MessageId"] != first["MessageId"] ||
			again["SequenceNumber"] != first["SequenceNumber"] {
			t.Errorf("%v was sent again as %v", first, again)
		}
		other := send(url, "b", "x", "")
		if same := other["MessageId"] == first["MessageId"]; same != (url == whole) {
			t.Errorf("%s: of another group it is the same: %v", url, same)
		}
		w.pass(5*time.Minute - time.Second)
		if late := send(url, "a", "x", ""); late["MessageId"] != first["MessageId"] {
			t.Errorf("%v was sent again at the end of its time as %v", first, late)
		}
		if named := send(url, "a", "x", "id"); named["MessageId"] == first["MessageId"] {
			t.Error("an id of its own does not count")
		}
		w.pass(time.Second)
		if later := send(url, "a", "x", ""); later["MessageId"] == first["MessageId"] {
			t.Error("five minutes later it is the same")
		}
	}
	if n := w.attribute(whole, "ApproximateNumberOfMessages"); n != "3" {
		t.Errorf("%s messages, want 3", n)
	}
	if n := w.attribute(groups, "ApproximateNumberOfMessages"); n != "4" {
		t.Errorf("%s messages, want 4", n)
	}
}

// TestFIFOAttributes are what makes a FIFO queue, and what it shows.
func TestFIFOAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("q.fifo", nil)
	for name, want := range map[string]string{
		"FifoQueue": "true", "ContentBasedDeduplication": "false",
		"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue",
	} {
		if got := w.attribute(url, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if again := w.fifo("q.fifo", object{"DeduplicationScope": "queue"}); again != url {
		t.Errorf("made again as %s", again)
	}
	set := func(name, value, code, part string) {
		w.refused("ROOT", "SetQueueAttributes",
			object{"QueueUrl": url, "Attributes": object{name: value}}, code, part)
	}
	set("FifoQueue", "false", "InvalidAttributeValue", "Modifying queue type")
	set("DeduplicationScope", "account", "InvalidAttributeValue", "DeduplicationScope")
	set("ContentBasedDeduplication", "maybe", "InvalidAttributeValue", "ContentBased")
	set("FifoThroughputLimit", "perMessageGroupId", "InvalidAttributeValue", "Throughput")
	for name, bad := range map[string]struct {
		set  object
		code string
		part string
	}{
		"q":      {object{"FifoQueue": "true"}, "InvalidParameterValue", "must end with .fifo"},
		"p.fifo": {nil, "InvalidParameterValue", "Can only include alphanumeric"},
		"r":      {object{"FifoQueue": "false"}, "InvalidAttributeName", "Unknown Attribute"},
		"s":      {object{"DeduplicationScope": "queue"}, "InvalidAttributeName", "only when"},
	} {
		in := object{"QueueName": name}
		if bad.set != nil {
			in["Attributes"] = bad.set
		}
		w.refused("ROOT", "CreateQueue", in, bad.code, bad.part)
	}
}

// TestFIFOSends are what a FIFO queue wants of a message, and a standard one refuses.
func TestFIFOSends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url, plain := w.fifo("q.fifo", nil), w.create("q", nil)
	for _, bad := range []struct {
		url        string
		more       object
		code, part string
	}{
		{url, object{}, "MissingParameter", "MessageGroupId"},
		{url, object{"MessageGroupId": "g"}, "InvalidParameterValue", "ContentBased"},
		{url, object{"MessageGroupId": "a b"}, "InvalidParameterValue", "1 to 128 in length"},
		{url, object{"MessageGroupId": "g", "MessageDeduplicationId": strings.Repeat("x", 129)},
			"InvalidParameterValue", "1 to 128 in length"},
		{url, object{"MessageGroupId": "g", "MessageDeduplicationId": "x", "DelaySeconds": 1},
			"InvalidParameterValue", "not valid for this queue type"},
		{plain, object{"MessageDeduplicationId": "x"}, "InvalidParameterValue",
			"not valid for this queue type"},
		{plain, object{"MessageGroupId": "a b"}, "InvalidParameterValue", "1 to 128 in length"},
	} {
		bad.more["QueueUrl"], bad.more["MessageBody"] = bad.url, "body"
		w.refused("ROOT", "SendMessage", bad.more, bad.code, bad.part)
	}
	w.refused("ROOT", "SendMessageBatch", object{"QueueUrl": url, "Entries": []object{
		{"Id": "1", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "1"},
		{"Id": "2", "MessageBody": "x"},
	}}, "InvalidParameterValue", "MessageGroupId")
	w.want(url)
}

// TestTenants: of a standard queue the messages of one group hold up nobody else's.
func TestTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("tenants", object{"VisibilityTimeout": "60"})
	for i := range 50 {
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": fmt.Sprint(i),
			"MessageGroupId": "noisy"})
	}
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "quiet", "MessageGroupId": "q"})
	got := texts(w.receive(url, object{"MaxNumberOfMessages": 2}))
	if !slices.Contains(got, "quiet") {
		t.Errorf("the first two are %q", got)
	}
}

// TestTotalVisibility: twelve hours from the receive, however often it is changed.
func TestTotalVisibility(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("long", object{"VisibilityTimeout": "43200"})
	w.send(url, "a")
	handle := w.receive(url, nil)[0]["ReceiptHandle"]
	change := object{"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 43200}
	w.do("ChangeMessageVisibility", change)
	w.pass(time.Second)
	w.refused("ROOT", "ChangeMessageVisibility", change, "InvalidParameterValue",
		"Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	change["VisibilityTimeout"] = 43199
	w.do("ChangeMessageVisibility", change)
}
