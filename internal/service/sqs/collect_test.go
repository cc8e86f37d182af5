package sqs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sendMany sends so many messages, "0" first, to a standard queue or to one group.
func (w *world) sendMany(url string, n int, group string) {
	w.t.Helper()
	for at := 0; at < n; {
		var entries []object
		for ; len(entries) < maxBatch && at < n; at++ {
			e := object{"Id": fmt.Sprint(at), "MessageBody": fmt.Sprint(at)}
			if group != "" {
				e["MessageGroupId"], e["MessageDeduplicationId"] = group, group+fmt.Sprint(at)
			}
			entries = append(entries, e)
		}
		out := w.do("SendMessageBatch", object{"QueueUrl": url, "Entries": entries})
		if out["Failed"] != nil && len(out["Failed"].([]any)) > 0 {
			w.t.Fatalf("%v", out)
		}
	}
}

// rest receives and deletes all that comes without a wait, and gives bodies and counts.
func (w *world) rest(url string, n int) (bodies, counts []string) {
	w.t.Helper()
	for len(bodies) < n {
		for _, m := range w.receive(url, object{"WaitTimeSeconds": 20,
			"AttributeNames": []string{"All"}}) {
			bodies = append(bodies, m["Body"].(string))
			count := m["Attributes"].(object)["ApproximateReceiveCount"].(string)
			if counts = append(counts, count); count != "1" {
				w.t.Errorf("%s was received %s times", m["Body"], count)
			}
			w.delete(url, m)
		}
	}
	return bodies, counts
}

// TestPassOver_SQS13: messages under an old key that was disabled hold up nothing, however
// many they are; they are not counted as received, never become dead letters, and are back
// in their order when the key is enabled.
func TestPassOver_SQS13(t *testing.T) {
	t.Parallel()
	const old = 2*passBatch + 30
	w := newWorld(t)
	dead := w.create("dead", nil)
	first, second := w.key(""), w.key("")
	url := w.create("orders", sseKMS(first))
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": redriving("dead", 1)})
	w.sendMany(url, old, "")
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": sseKMS(second)})
	w.change("DisableKey", first)
	w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url}, "KMS.DisabledException", first)
	w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url}, "KMS.DisabledException", first)
	w.send(url, "new")
	for range 2 {
		if m := w.one(url, object{"VisibilityTimeout": 3600}); m["Body"] != "new" {
			t.Fatalf("received %v", m)
		} else {
			w.delete(url, m)
		}
		w.pass(asideFor)
		w.send(url, "new")
	}
	w.crash()
	w.delete(url, w.one(url, nil))
	w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url}, "KMS.DisabledException", first)
	w.change("EnableKey", first)
	bodies, _ := w.rest(url, old)
	if !slices.IsSortedFunc(bodies, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	}) {
		t.Errorf("order %q", bodies)
	}
	if n := w.count(dead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if got := w.receive(url, nil); len(got) != 0 {
		t.Errorf("received %v", got)
	}
}

// TestPassOverGroups_SQS13: in a FIFO queue a message that cannot be opened holds up its
// group and no other.
func TestPassOverGroups_SQS13(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.key(""), w.key("")
	set := sseKMS(first)
	set["FifoQueue"] = "true"
	url := w.create("orders.fifo", set)
	w.sendMany(url, 30, "a")
	delete(set, "FifoQueue")
	set["KmsMasterKeyId"] = second
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": set})
	for i, group := range []string{"a", "b"} {
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "new " + group,
			"MessageGroupId": group, "MessageDeduplicationId": fmt.Sprint("new", i)})
	}
	w.change("DisableKey", first)
	m := w.one(url, nil)
	if m["Body"] != "new b" {
		t.Fatalf("received %v", m)
	}
	w.delete(url, m)
	w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url}, "KMS.DisabledException", first)
	w.change("EnableKey", first)
	if bodies, _ := w.rest(url, 31); bodies[0] != "0" || bodies[29] != "29" ||
		bodies[30] != "new a" {
		t.Errorf("received %q", bodies)
	}
}

// TestPassOverDenied_SQS12: what one caller may not open others get at once, and as if it
// had not been received before.
func TestPassOverDenied_SQS12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.key(""), w.key("")
	w.person("reader", home, fmt.Sprintf(`{"Statement":[{"Effect":"Allow","Action":"sqs:*",`+
		`"Resource":"*"},{"Effect":"Allow","Action":"kms:Decrypt","Resource":"%s"}]}`, second))
	url := w.create("orders", sseKMS(first))
	w.send(url, "old")
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": sseKMS(second)})
	w.refused("reader", "ReceiveMessage", object{"QueueUrl": url}, "KMS.AccessDeniedException", "")
	w.send(url, "new")
	out, failure := w.try("reader", "ReceiveMessage", object{"QueueUrl": url,
		"WaitTimeSeconds": 20})
	if list, _ := out["Messages"].([]any); failure != "" || len(list) != 1 ||
		list[0].(object)["Body"] != "new" {
		t.Fatalf("%v %s", out, failure)
	}
	w.rest(url, 1)
}
