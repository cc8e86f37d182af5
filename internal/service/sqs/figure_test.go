package sqs

import (
	"fmt"
	"testing"
	"time"
)

// TestFigures: what a queue holds and what was done at it, by name for the first thousand
// queues and for the rest together.
func TestFigures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.send(url, "a", "b", "c", "d")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "e", "DelaySeconds": 900})
	handle := w.one(url, nil)["ReceiptHandle"]
	w.one(url, nil)
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": handle})
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": handle})
	w.pass(2 * time.Second)
	w.receive(w.create("empty", nil), nil)
	w.pass(3 * time.Second)
	want := []Figure{
		{
			Account: home, Region: here, Queue: "orders", Visible: 2, NotVisible: 1, Delayed: 1,
			Oldest: 5 * time.Second, Sent: 5, Received: 2, Deleted: 1,
		},
		{Account: home, Region: here, Queue: "empty", Empty: 1},
	}
	for i, got := range w.svc.Figures() {
		if got != want[i] {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
	w.restart()
	w.until(func() bool { return w.svc.Figures()[0].Oldest == 5*time.Second })
	for i := range maxFigures - 1 {
		w.send(w.create(fmt.Sprint("q", i), nil), "x")
	}
	w.pass(time.Second)
	last := w.create("last", nil)
	w.send(last, "x", "y")
	list := w.svc.Figures()
	if rest := list[len(list)-1]; len(list) != maxFigures+1 || rest.Queue != "" ||
		rest.Visible != 3 || rest.Sent != 3 || rest.Oldest != time.Second {
		t.Errorf("%d figures, the last %+v", len(list), rest)
	}
}

// TestOldestOfTenants: the age of the oldest message is that of all tenants of a standard
// queue, whoever has his turn, also when a start must read them.
func TestOldestOfTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	age := func(want time.Duration) {
		t.Helper()
		w.until(func() bool { return w.svc.Figures()[0].Visible == 2 })
		if got := w.svc.Figures()[0].Oldest; got != want {
			t.Errorf("the oldest message waits for %v, want %v", got, want)
		}
	}
	tenant := func(group, body string) {
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": body, "MessageGroupId": group})
	}
	w.send(url, "of nobody") // has its turn behind all tenants
	w.pass(5 * time.Second)
	tenant("a", "a1")
	age(5 * time.Second)
	w.pass(2 * time.Second)
	w.restart()
	w.until(func() bool { return w.svc.Figures()[0].Oldest == 7*time.Second })
	if got := w.bodies(url, 1); got[0] != "a1" {
		t.Errorf("received %q first", got)
	}
	w.pass(time.Second)
	tenant("b", "b1")
	age(8 * time.Second)
}
