package sqs

import (
	"encoding/base64"
	"runtime"
	"slices"
	"testing"
	"time"
)

// kill sends bodies to a queue and receives them once, whose dead letters they become.
func (w *world) kill(url, dead string, bodies ...string) {
	w.t.Helper()
	before := w.count(dead)
	w.send(url, bodies...)
	for n := len(bodies); n > 0; {
		n -= len(w.receive(url, object{"VisibilityTimeout": 1}))
	}
	w.pass(time.Second)
	w.until(func() bool { return w.count(dead) == before+len(bodies) })
}

func (w *world) count(url string) (n int) {
	w.t.Helper()
	for _, r := range w.attribute(url, "ApproximateNumberOfMessages") {
		n = n*10 + int(r-'0')
	}
	return n
}

// until waits for what comes without an answer.
func (w *world) until(ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			w.t.Fatal("it did not come to pass")
		}
	}
}

// task gives the latest task of a queue.
func (w *world) task(name string) object {
	w.t.Helper()
	out := w.do("ListMessageMoveTasks", object{"SourceArn": arnPrefix + name})
	list, _ := out["Results"].([]any)
	if len(list) == 0 {
		return nil
	}
	return list[0].(object)
}

// ended waits for the end of the latest task.
func (w *world) ended(name, status string) object {
	w.t.Helper()
	w.until(func() bool { s := w.task(name)["Status"]; return s != "RUNNING" && s != "CANCELLING" })
	t := w.task(name)
	if t["Status"] != status || t["TaskHandle"] != nil {
		w.t.Fatalf("task %v, want %s", t, status)
	}
	return t
}

// TestMoveTaskHome: dead letters of two queues go back to where they came from, as new
// messages.
func TestMoveTaskHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	one, two := w.create("one", redriving("dead", 1)), w.create("two", redriving("dead", 1))
	w.kill(one, dead, "1", "2")
	w.kill(two, dead, "3")
	w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead"})
	if task := w.ended("dead", "COMPLETED"); task["ApproximateNumberOfMessagesMoved"] != 3.0 ||
		task["ApproximateNumberOfMessagesToMove"] != 3.0 || task["DestinationArn"] != nil {
		t.Errorf("task %v", task)
	}
	for _, m := range w.await(one, "1", "2") {
		all := m["Attributes"].(object)
		if all["ApproximateReceiveCount"] != "1" || all["DeadLetterQueueSourceArn"] != nil {
			t.Errorf("attributes of a message that came back: %v", all)
		}
	}
	w.await(two, "3")
	w.do("SendMessage", object{"QueueUrl": dead, "MessageBody": "direct"})
	w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead"})
	task := w.ended("dead", "FAILED")
	if task["FailureReason"] != "CouldNotDetermineMessageSource" {
		t.Errorf("task %v", task)
	}
	w.await(dead, "direct")
}

// TestMoveTaskRate: a task keeps to its rate, goes on after a crash and a restart, and
// can be cancelled.
func TestMoveTaskRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	url, aside := w.create("work", redriving("dead", 1)), w.create("aside", nil)
	w.kill(url, dead, "1", "2", "3", "4", "5", "6")
	start := object{"SourceArn": arnPrefix + "dead", "DestinationArn": arnPrefix + "aside",
		"MaxNumberOfMessagesPerSecond": 1}
	w.do("StartMessageMoveTask", start)
	w.until(func() bool { return w.count(aside) == 1 })
	w.refused("ROOT", "StartMessageMoveTask", start, "InvalidParameterValue",
		"There is already a task running.")
	left := func(n int) func() bool { // in steps, none of which moves two
		return func() bool { w.pass(100 * time.Millisecond); return w.count(dead) <= n }
	}
	w.crash()
	w.until(left(4))
	w.restart()
	w.until(left(3))
	w.until(func() bool {
		return w.task("dead")["ApproximateNumberOfMessagesMoved"] == float64(6-w.count(dead))
	})
	w.do("CancelMessageMoveTask", object{"TaskHandle": w.task("dead")["TaskHandle"]})
	task := w.ended("dead", "CANCELLED")
	w.pass(time.Hour)
	n := w.count(dead)
	if n == 0 || task["ApproximateNumberOfMessagesMoved"] != float64(6-n) {
		t.Errorf("%d messages are left; %v", n, task)
	}
	w.until(func() bool { return w.count(aside) == 6-n })
	start["MaxNumberOfMessagesPerSecond"] = 500
	w.do("StartMessageMoveTask", start)
	w.until(func() bool { w.pass(time.Second); return w.count(aside) == 6 })
	w.ended("dead", "COMPLETED")
	w.do("DeleteQueue", object{"QueueUrl": dead})
	w.refused("ROOT", "ListMessageMoveTasks", object{"SourceArn": arnPrefix + "dead"},
		"ResourceNotFoundException", "SourceArn parameter doesn't exist.")
}

// TestMoveTaskBound: a task moves what was there at its start, and nothing that came since.
func TestMoveTaskBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead, aside := w.create("dead", nil), w.create("aside", nil)
	w.create("work", redriving("dead", 1))
	w.send(dead, "1", "2")
	w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead",
		"DestinationArn": arnPrefix + "aside", "MaxNumberOfMessagesPerSecond": 1})
	w.send(dead, "3", "4")
	w.until(func() bool {
		w.pass(time.Second)
		return w.task("dead")["Status"] == completed
	})
	if n := w.count(aside); n != 2 {
		t.Errorf("%d messages were moved, want 2", n)
	}
}

// TestMoveTaskGone: a destination that is deleted ends the task.
func TestMoveTaskGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	url, aside := w.create("work", redriving("dead", 1)), w.create("aside", nil)
	w.kill(url, dead, "1", "2", "3")
	w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead",
		"DestinationArn": arnPrefix + "aside", "MaxNumberOfMessagesPerSecond": 1})
	w.until(func() bool { return w.count(aside) == 1 })
	w.do("DeleteQueue", object{"QueueUrl": aside})
	w.pass(time.Second)
	task := w.ended("dead", "FAILED")
	if task["FailureReason"] != "AWS.SimpleQueueService.NonExistentQueue" {
		t.Errorf("task %v", task)
	}
	if n := w.count(dead); n != 2 {
		t.Errorf("%d messages are left, want 2", n)
	}
}

// TestMoveTaskRefusals are AWS's.
func TestMoveTaskRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("dead", nil)
	w.create("work", redriving("dead", 1))
	w.fifo("other.fifo", nil)
	handle := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, c := range []struct {
		op         string
		in         object
		code, part string
	}{
		{"StartMessageMoveTask", object{"SourceArn": "dead"}, "InvalidParameterValue",
			"You must use this format to specify the SourceArn"},
		{"StartMessageMoveTask", object{"SourceArn": arnPrefix + "none"},
			"ResourceNotFoundException", "SourceArn parameter doesn't exist."},
		{"StartMessageMoveTask", object{"SourceArn": arnPrefix + "work"},
			"InvalidParameterValue", "must be configured as a Dead Letter Queue."},
		{"StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead",
			"DestinationArn": arnPrefix + "none"}, "ResourceNotFoundException",
			"DestinationArn parameter doesn't exist."},
		{"StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead",
			"DestinationArn": arnPrefix + "other.fifo"}, "InvalidParameterValue", "same type"},
		{"StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead",
			"MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue", "between 1 and 500"},
		{"CancelMessageMoveTask", object{"TaskHandle": "x"}, "InvalidParameterValue",
			"Value for parameter TaskHandle is invalid."},
		{"CancelMessageMoveTask", object{"TaskHandle": handle(
			`{"taskId":"y","sourceArn":"` + arnPrefix + `dead"}`)}, "ResourceNotFoundException",
			"Task does not exist."},
		{"ListMessageMoveTasks", object{"SourceArn": arnPrefix + "dead", "MaxResults": 11},
			"InvalidParameterValue", "MaxResults"},
	} {
		w.refused("ROOT", c.op, c.in, c.code, c.part)
	}
}

// TestMoveTaskEnded: who opens a queue with a row from before the end of a task does not
// let the task go on.
func TestMoveTaskEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	url := w.create("work", redriving("dead", 1))
	w.kill(url, dead, "1")
	w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead"})
	w.ended("dead", "COMPLETED")
	w.await(url, "1")
	w.send(dead, "2")
	q, err := w.svc.queueOfARN("SourceArn", arnPrefix+"dead")
	must(t, err)
	w.until(func() bool { return w.moving() == 0 })
	before := *q.row.Load()
	before.Tasks = slices.Clone(before.Tasks)
	before.Tasks[0].Status, before.Tasks[0].ToMove = running, 9
	q.opening.Lock()
	w.svc.goOn(q, q.place.Load(), &before)
	q.opening.Unlock()
	if n := w.moving(); n != 0 {
		t.Errorf("%d tasks go on", n)
	}
	w.await(dead, "2")
}

// moving is how many tasks go on.
func (w *world) moving() int {
	w.svc.mu.RLock()
	defer w.svc.mu.RUnlock()
	return len(w.svc.movers)
}
