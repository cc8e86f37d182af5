package sqs

import (
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
	answer := make(chan string, 1)
	go func() {
		out, failure := w.try("ROOT", "ReceiveMessage",
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
