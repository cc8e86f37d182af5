package sqs

import (
	"net/url"
	"strings"
	"testing"
)

// form sends a request of the query protocol to a path and gives status and document.
func (w *world) form(path string, values url.Values) (status int, xml string) {
	w.t.Helper()
	values.Set("Version", "2012-11-05")
	rec := w.post("ROOT", "sqs", path, "application/x-www-form-urlencoded", "",
		[]byte(values.Encode()))
	return rec.Code, rec.Body.String()
}

// between gives what stands in the first element of a name.
func between(t *testing.T, xml, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(xml, "<"+name+">")
	text, _, closed := strings.Cut(rest, "</"+name+">")
	if !ok || !closed {
		t.Fatalf("no %s in %s", name, xml)
	}
	return text
}

// TestQuery posts to queues' URLs without saying which queue, as the oldest clients do,
// and to the service.
func TestQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(path, action string, pairs ...string) string {
		t.Helper()
		values := url.Values{"Action": {action}}
		for i := 0; i < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		status, xml := w.form(path, values)
		if status != 200 {
			t.Fatalf("%s: %d %s", action, status, xml)
		}
		return xml
	}
	xml := ask("/", "CreateQueue", "QueueName", "orders", "Attribute.1.Name", "VisibilityTimeout",
		"Attribute.1.Value", "60", "Tag.1.Key", "k", "Tag.1.Value", "v")
	at := between(t, xml, "QueueUrl")
	u, err := url.Parse(at)
	must(t, err)
	ask(u.Path, "SendMessage", "MessageBody", "a&b", "DelaySeconds", "0")
	ask("/", "SendMessageBatch", "QueueUrl", at,
		"SendMessageBatchRequestEntry.1.Id", "one",
		"SendMessageBatchRequestEntry.1.MessageBody", "c",
		"SendMessageBatchRequestEntry.1.MessageAttribute.1.Name", "n",
		"SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType", "Number",
		"SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue", "7")
	xml = ask(u.Path, "ReceiveMessage", "WaitTimeSeconds", "20", "AttributeName.1", "SenderId")
	if got := between(t, xml, "Body"); got != "a&amp;b" {
		t.Errorf("received %s", xml)
	}
	ask(u.Path, "DeleteMessage", "ReceiptHandle", between(t, xml, "ReceiptHandle"))
	xml = ask(u.Path, "ReceiveMessage", "WaitTimeSeconds", "20", "MessageAttributeName.1", "All")
	const attribute = "<MessageAttribute><Name>n</Name><Value><DataType>Number</DataType>" +
		"<StringValue>7</StringValue></Value></MessageAttribute>"
	if !strings.Contains(xml, attribute) {
		t.Errorf("received %s", xml)
	}
	status, xml := w.form("/"+home+"/none", url.Values{"Action": {"PurgeQueue"}})
	const code = "AWS.SimpleQueueService.NonExistentQueue"
	if status != 400 || between(t, xml, "Code") != code || between(t, xml, "Type") != "Sender" {
		t.Errorf("%d %s", status, xml)
	}
	status, xml = w.form("/", url.Values{"Action": {"PurgeQueue"}})
	if status != 404 || between(t, xml, "Code") != "InvalidAddress" {
		t.Errorf("%d %s", status, xml)
	}
}
