package sqs

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestLife sends, receives, restarts and deletes: what was sent survives, what is
// leased stays leased, what was deleted is gone.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"VisibilityTimeout": "60"})
	w.send(url, "a", "b", "c")
	first := w.one(url, nil)
	if first["Body"] != "a" {
		t.Fatalf("received %v", first)
	}
	w.restart()
	if got := w.bodies(url, 2); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("after the restart: %q", got)
	}
	if more := w.receive(url, nil); len(more) > 0 {
		t.Errorf("leased messages were received: %v", more)
	}
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"]})
	w.crash()
	w.pass(61 * time.Second)
	if got := w.bodies(url, 2); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("after the visibility timeout: %q", got)
	}
	w.do("DeleteQueue", object{"QueueUrl": url})
	w.refused("ROOT", "SendMessage", object{"QueueUrl": url, "MessageBody": "d"},
		"AWS.SimpleQueueService.NonExistentQueue", "does not exist")
	w.restart()
	w.refused("ROOT", "SendMessage", object{"QueueUrl": url, "MessageBody": "d"},
		"AWS.SimpleQueueService.NonExistentQueue", "does not exist")
}

// TestFirst makes the first queues of an account at once: all seal with one data key,
// which is there after a restart.
func TestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	urls := make([]string, 8)
	var work sync.WaitGroup
	for i := range urls {
		work.Go(func() {
			urls[i] = w.create(fmt.Sprint("q", i), nil)
			w.send(urls[i], fmt.Sprint("m", i))
		})
	}
	work.Wait()
	w.restart()
	for i, url := range urls {
		if got := w.bodies(url, 1); got[0] != fmt.Sprint("m", i) {
			t.Errorf("queue %d has %q", i, got)
		}
	}
}

// TestNoTimeout: a message that is received without a timeout is in the answer once.
func TestNoTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"VisibilityTimeout": "0"})
	w.send(url, "a")
	for range 2 {
		if got := w.receive(url, nil); len(got) != 1 {
			t.Errorf("received %d messages: %v", len(got), got)
		}
	}
}
