package sqs

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/sqs"
)

// FuzzHandle: a receipt handle is taken as it was given and at its queue alone.
func FuzzHandle(f *testing.F) {
	w := newWorld(f)
	url := w.create("orders", nil)
	w.create("other", nil)
	w.send(url, "x")
	handle := w.one(url, nil)["ReceiptHandle"].(string)
	orders := w.svc.queues[address{realmName{home, here}, "orders"}]
	other := w.svc.queues[address{realmName{home, here}, "other"}]
	for _, s := range []string{
		handle, handle + "\n", handle[:len(handle)-1], "=" + handle[1:], handle + handle, "",
		"AQ==", "eyJ0YXNrSWQiOiJ4Iiwic291cmNlQXJuIjoieSJ9",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.svc.parseReceipt(orders, text); (err == nil) != (text == handle) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := w.svc.parseReceipt(other, text); err == nil {
			t.Errorf("%q is taken at another queue", text)
		}
		if _, _, err := w.svc.parseTask(text); err == nil {
			t.Errorf("%q is taken for a task", text)
		}
	})
}

// FuzzAttribute: an attribute of a queue that is taken is shown as it was set, and the
// queue is like one that is made with it.
func FuzzAttribute(f *testing.F) {
	for name := range numbers {
		f.Add(false, name, "60")
	}
	for _, name := range settable {
		f.Add(true, name, "true")
	}
	f.Add(true, "DeduplicationScope", "messageGroup")
	f.Fuzz(func(t *testing.T, fifo bool, name, value string) {
		a := address{realmName{home, here}, "orders"}
		if fifo {
			a.name += fifoSuffix
		}
		set := lowered(map[string]string{name: value})
		r := &row{Attributes: withAttributes(nil, set)}
		var err error
		if r.rules, err = newRules(a, r.Attributes); err != nil {
			return
		}
		if err := r.like(set); err != nil {
			t.Errorf("%s %q: %v", name, value, err)
		}
		if n := numbers[name]; n.high > 0 && r.value(name) != value {
			t.Errorf("%s %q is shown as %q", name, value, r.value(name))
		}
	})
}

// FuzzRequest: no request in either protocol fails for a reason of ours, and each answer
// is whole. $url, $arn and $handle stand for a queue's and a message's.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"QueueUrl":"$url","QueueName":"other","MessageBody":"b","AttributeNames":["All"],` +
			`"Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"$arn\",` +
			`\"maxReceiveCount\":1}"},"Tags":{"k":"v"},"tags":{"k":"v"},"TagKeys":["k"],` +
			`"ReceiptHandle":"$handle","VisibilityTimeout":1,"SourceArn":"$arn","Label":"l",` +
			`"Actions":["*"],"AWSAccountIds":["111122223333"],"WaitTimeSeconds":1,` +
			`"Entries":[{"Id":"a","MessageBody":"b","ReceiptHandle":"$handle"}]}`,
		"QueueUrl=$url&QueueName=a.fifo&MessageBody=b&MessageGroupId=g&Attribute.1.Name=" +
			"FifoQueue&Attribute.1.Value=true&AttributeName.1=All&Tag.1.Key=k&Tag.1.Value=v&" +
			"TagKey.1=k&ReceiptHandle=$handle&VisibilityTimeout=1&SourceArn=$arn&Label=l&" +
			"ActionName.1=*&AWSAccountId.1=111122223333&WaitTimeSeconds=20&" +
			"SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b",
	} {
		for op := range uint16(len(api.API.Ops)) {
			f.Add(op, s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body string) {
		w := newWorld(t)
		url := w.create("orders", nil)
		w.send(url, "x", "y")
		body = strings.NewReplacer("$url", url, "$arn", w.attribute(url, "QueueArn"), "$handle",
			w.one(url, nil)["ReceiptHandle"].(string)).Replace(body)
		op := api.API.Ops[int(n)%len(api.API.Ops)].Name
		defer w.hurry("orders")()
		rec := w.post("ROOT", "sqs", "/", "application/x-amz-json-1.0", "AmazonSQS."+op,
			[]byte(body))
		if rec.Code >= 500 || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %q: %d %s", op, body, rec.Code, rec.Body)
		}
		rec = w.post("ROOT", "sqs", "/", "application/x-www-form-urlencoded", "",
			[]byte(body+"&Version=2012-11-05&Action="+op))
		if err := xml.Unmarshal(rec.Body.Bytes(), &struct{}{}); rec.Code >= 500 || err != nil {
			t.Errorf("%s %q: %d %s: %v", op, body, rec.Code, rec.Body, err)
		}
	})
}

// hurry moves the time while a receive waits at a queue, until stop was called.
func (w *world) hurry(name string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			w.svc.mu.RLock()
			q := w.svc.queues[address{realmName{home, here}, name}]
			w.svc.mu.RUnlock()
			if q != nil && q.place.Load() != nil && q.place.Load().queue.Receiving() > 0 {
				w.pass(maxWait)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
