package sqs

import (
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
)

// queue is a queue of home in the broker.
func (w *world) queue(name string) *broker.Queue {
	w.svc.mu.RLock()
	defer w.svc.mu.RUnlock()
	return w.svc.queues[address{realmName{home, here}, name}].place.Load().queue
}

// awaitReceive waits until a receive waits at the queue.
func (w *world) awaitReceive(name string) {
	w.t.Helper()
	late, tick := time.After(patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.queue(name).Receiving() == 0 {
		select {
		case <-late:
			w.t.Fatal("the receive does not wait")
		case <-tick.C:
		}
	}
}

// poll begins a receive that waits, and gives its answer later: the body of a message,
// "" when there is none, or the failure.
func (w *world) poll(url, name string) <-chan string {
	w.t.Helper()
	return w.pollAs("ROOT", url, name)
}

func (w *world) pollAs(who, url, name string) <-chan string {
	w.t.Helper()
	answer := make(chan string, 1)
	go func() {
		out, failure := w.try(who, "ReceiveMessage",
			object{"QueueUrl": url, "WaitTimeSeconds": 20})
		for _, m := range out {
			failure = m.([]any)[0].(object)["Body"].(string)
		}
		answer <- failure
	}()
	w.awaitReceive(name)
	return answer
}

// TestWait: a receive waits for a message, at most as long as it says, and not at all
// when the process is about to stop or the queue is deleted.
func TestWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	for want, then := range map[string]func(){
		"a": func() { w.send(url, "a") },
		"":  func() { w.pass(20 * time.Second) },
	} {
		answer := w.poll(url, "orders")
		then()
		if got := <-answer; got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
	answer := w.poll(url, "orders")
	w.svc.EndWaits()
	if got := <-answer; got != "" {
		t.Errorf("at the end: %q", got)
	}
	if got := w.receive(url, object{"WaitTimeSeconds": 20}); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
	w.restart()
	answer = w.poll(url, "orders")
	w.do("DeleteQueue", object{"QueueUrl": url})
	const gone = "AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist."
	if got := <-answer; got != gone {
		t.Errorf("at a deleted queue: %q", got)
	}
}

// TestWaitIsDecidedAnew: who loses the right to receive while he waits gets nothing, and
// the message is there for others, not counted as received.
func TestWaitIsDecidedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	allowed := func() { w.person("ada", home, allow(`"sqs:*","kms:Decrypt"`)) }
	for name, c := range map[string]struct {
		attributes object
		then       func(url string)
		want       string
	}{
		"nothing": {then: func(string) {}},
		"policy": {then: func(string) { w.person("ada", home, allow(`"sqs:SendMessage"`)) },
			want: "sqs:receivemessage"},
		"access-key": {then: func(string) { delete(w.people, "ada") }, want: "security token"},
		"queue": {then: func(url string) {
			w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"Policy": `{
				"Statement":{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::` + home +
				`:user/ada"},"Action":"sqs:ReceiveMessage","Resource":"*"}}`}})
		}, want: "explicit deny in a resource-based policy"},
		"gate": {attributes: object{"CofferDecryptPermission": "true"},
			then: func(string) { w.person("ada", home, allow(`"sqs:*"`)) }, want: "kms:Decrypt"},
		"kms": {attributes: object{"KmsMasterKeyId": w.key("")},
			then: func(string) { w.person("ada", home, allow(`"sqs:*"`)) }, want: "kms:Decrypt"},
	} {
		allowed()
		url := w.create(name, c.attributes)
		answer := w.pollAs("ada", url, name)
		c.then(url)
		w.send(url, "a")
		got := <-answer
		if c.want == "" {
			if got != "a" {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		left := w.receive(url, object{"WaitTimeSeconds": 20, "AttributeNames": []string{"All"}})
		if len(left) != 1 ||
			left[0]["Attributes"].(object)["ApproximateReceiveCount"] != "1" {
			t.Errorf("%s: left is %v", name, left)
		}
	}
}
