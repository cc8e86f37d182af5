package sqs

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
)

// leaving is the context of a client that is gone once a message is leased to it.
type leaving struct {
	context.Context
	w    *world
	name string
}

func (l leaving) Err() error {
	if _, leased, _ := l.w.queue(l.name).Counts(); leased > 0 {
		return context.Canceled
	}
	return nil
}

// receiveAs makes a receive that waits, of a client that is there while ctx is.
func (w *world) receiveAs(ctx context.Context, url string) *httptest.ResponseRecorder {
	w.t.Helper()
	body, err := json.Marshal(object{"QueueUrl": url, "WaitTimeSeconds": 20})
	must(w.t, err)
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, w.request(ctx, "ROOT", "sqs", "/", "application/x-amz-json-1.0",
		"AmazonSQS.ReceiveMessage", body))
	return rec
}

// TestGoneClient: a client that leaves while it waits, or just when a message is leased
// to it, leaves nothing leased.
func TestGoneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"VisibilityTimeout": "43200"})
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		w.receiveAs(ctx, url)
	}()
	w.awaitReceive("orders")
	leave()
	<-answered
	w.send(url, "a")
	first := w.one(url, object{"AttributeNames": []string{"All"}, "VisibilityTimeout": 0})
	if n := first["Attributes"].(object)["ApproximateReceiveCount"]; n != "1" {
		t.Errorf("received %v times", n)
	}
	if rec := w.receiveAs(leaving{t.Context(), w, "orders"}, url); rec.Code == 200 {
		t.Errorf("the gone client was told %s", rec.Body)
	}
	if got := w.one(url, nil)["Body"]; got != "a" {
		t.Errorf("received %v", got)
	}
}
