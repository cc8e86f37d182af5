package sqs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/audit"
)

// TestDataEvents_D05: what is done to messages is on the trail when somebody wants it: who
// did it, when, to which messages, and nothing that is in them; so SSE-SQS has a trail of
// decryptions, too (D-03, CT-07). By default there is none (CT-06).
func TestDataEvents_D05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("reader", home, allow(`"sqs:ReceiveMessage"`))
	url := w.create("orders", nil)
	named := func(name string) []*audit.Event {
		t.Helper()
		list, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: here,
			Attribute: "EventName", Value: name})
		must(t, err)
		return list
	}
	w.send(url, "secret one")
	if n := len(named("SendMessage")); n != 0 {
		t.Fatalf("%d events that nobody wants", n)
	}
	w.data.Store(true)
	id := w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "secret two",
		"MessageAttributes": object{"secret": object{"DataType": "String",
			"StringValue": "secret three"}}})["MessageId"]
	w.one(url, object{"VisibilityTimeout": 0})
	out, failure := w.try("reader", "ReceiveMessage", object{"QueueUrl": url,
		"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20})
	if failure != "" || len(out["Messages"].([]any)) != 2 {
		t.Fatalf("%v %s", out, failure)
	}
	w.refused("reader", "SendMessage", object{"QueueUrl": url, "MessageBody": "secret four"},
		"AccessDenied", "")
	sends, receives := named("SendMessage"), named("ReceiveMessage")
	if len(sends) != 2 || len(receives) != 2 {
		t.Fatalf("%d sends, %d receives", len(sends), len(receives))
	}
	denied, sent, received := sends[0], sends[1], receives[0]
	for _, c := range []struct{ what, got, want string }{
		{"denied", denied.ErrorCode + denied.UserIdentity.UserName, "AccessDeniedExceptionreader"},
		{"sent", fmt.Sprint(sent.AdditionalEventData["messageIds"]), fmt.Sprint([]any{id})},
		{"received by", received.UserIdentity.UserName, "reader"},
		{"kind", received.EventCategory + fmt.Sprint(received.ManagementEvent), "Datafalse"},
		{"resource", received.Resources[0].ARN, "arn:aws:sqs:" + here + ":" + home + ":orders"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if ids, _ := received.AdditionalEventData["messageIds"].([]any); len(ids) != 2 || ids[1] != id {
		t.Errorf("received %v, want %v at the end", ids, id)
	}
	text, err := json.Marshal([][]*audit.Event{sends, receives})
	must(t, err)
	if strings.Contains(string(text), "secret") {
		t.Errorf("events tell what is in messages: %s", text)
	}
}

// TestDataEventSizes_D04_CT07: events tell how much of messages came and went, of which
// message a receipt handle is, and the entries of a batch that failed; how a request came,
// without its query.
func TestDataEventSizes_D04_CT07(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.data.Store(true)
	last := func(name string) map[string]any {
		t.Helper()
		list, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: here,
			Attribute: "EventName", Value: name})
		must(t, err)
		if len(list) == 0 {
			t.Fatalf("no %s", name)
		}
		return list[0].AdditionalEventData
	}
	shown := func(m map[string]any, names ...string) string {
		var list []string
		for _, n := range names {
			list = append(list, fmt.Sprint(m[n]))
		}
		return strings.Join(list, " ")
	}
	out := w.do("SendMessageBatch", object{"QueueUrl": url, "Entries": []object{
		{"Id": "a", "MessageBody": "four", "MessageAttributes": object{"n": object{
			"DataType": "String", "StringValue": "vv"}}},
		{"Id": "b", "MessageBody": "secret", "DelaySeconds": 901},
		{"Id": "c", "MessageBody": "xy", "DelaySeconds": 900},
	}})
	sent := out["Successful"].([]any)
	id := sent[0].(map[string]any)["MessageId"].(string)
	later := sent[1].(map[string]any)["MessageId"].(string)
	m := w.one(url, nil)
	w.do("ChangeMessageVisibility", object{"QueueUrl": url, "VisibilityTimeout": 30,
		"ReceiptHandle": m["ReceiptHandle"]})
	w.do("DeleteMessageBatch", object{"QueueUrl": url, "Entries": []object{
		{"Id": "a", "ReceiptHandle": m["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "x"},
	}})
	w.refused("ROOT", "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": "x"},
		"ReceiptHandleIsInvalid", "")
	failed := "[map[errorCode:%s httpStatus:400 id:b]]"
	for _, c := range []struct{ name, fields, want string }{
		{"SendMessageBatch", "messageIds messageBytes bytesTransferredIn failedEntries",
			"[" + id + " " + later + "] [13 2] 15 " + fmt.Sprintf(failed, "InvalidParameterValue")},
		{"ReceiveMessage", "messageIds messageBytes bytesTransferredOut", "[" + id + "] [4] 4"},
		{"ChangeMessageVisibility", "messageIds httpStatus", "[" + id + "] 200"},
		{"DeleteMessageBatch", "messageIds bytesTransferredIn failedEntries",
			"[" + id + "] <nil> " + fmt.Sprintf(failed, "ReceiptHandleIsInvalid")},
		{"DeleteMessage", "httpStatus SignatureVersion AuthenticationMethod requestURI",
			"404 SigV4 AuthHeader POST / HTTP/1.1"},
	} {
		if got := shown(last(c.name), strings.Fields(c.fields)...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
