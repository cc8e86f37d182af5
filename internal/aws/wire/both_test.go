package wire_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
)

// TestBoth speaks the query protocol of a service whose model has JSON alone: names of
// lists and maps are others there, and errors have the code of each.
func TestBoth(t *testing.T) {
	both := compile(t, &sqs.API)
	if both.For(http.Header{"X-Amz-Target": {"AmazonSQS.SendMessage"}}) != both {
		t.Fatal("a target is not JSON's")
	}
	c := both.For(http.Header{})
	body := "Action=SendMessage&Version=2012-11-05&MessageBody=hi&DelaySeconds=5" +
		"&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=Binary" +
		"&MessageAttribute.1.Value.BinaryValue=AQI%3D"
	r := &wire.Request{Method: "POST", Path: "/123456789012/orders", Body: []byte(body)}
	op, err := c.Route(r)
	if err != nil || op.Name != "SendMessage" {
		t.Fatal(op, err)
	}
	in := &sqs.SendMessageInput{}
	if err := c.Decode(op, r, in); err != nil {
		t.Fatal(err)
	}
	want := &sqs.SendMessageInput{
		QueueUrl: "/123456789012/orders", MessageBody: "hi", DelaySeconds: new(int32(5)),
		MessageAttributes: map[string]sqs.MessageAttributeValue{
			"k": {DataType: "Binary", BinaryValue: []byte{1, 2}},
		},
	}
	if !reflect.DeepEqual(in, want) {
		t.Errorf("decoded %+v", in)
	}
	op, _ = sqs.API.Op("GetQueueAttributes")
	out, err := c.Encode(op, &sqs.GetQueueAttributesOutput{
		Attributes: map[string]string{"VisibilityTimeout": "30"},
	}, "id-1")
	const result = "<GetQueueAttributesResult><Attribute><Name>VisibilityTimeout</Name>" +
		"<Value>30</Value></Attribute></GetQueueAttributesResult>"
	if err != nil || !strings.Contains(string(out.Body), result) {
		t.Errorf("%s, %v", out.Body, err)
	}
}

// TestBothErrors: each protocol has its code, and JSON tells that of query, too.
func TestBothErrors(t *testing.T) {
	both := compile(t, &sqs.API)
	e := &sqs.QueueDoesNotExist{Message: "no"}
	r := both.EncodeError(e, "id-1")
	const old = "AWS.SimpleQueueService.NonExistentQueue"
	if got := r.Header.Get("X-Amzn-Query-Error"); got != old+";Sender" ||
		string(r.Body) != `{"__type":"QueueDoesNotExist","message":"no"}` {
		t.Errorf("%q %s", got, r.Body)
	}
	r = both.For(http.Header{}).EncodeError(e, "id-1")
	if got := r.Header.Get("X-Amzn-Query-Error"); got != "" ||
		!strings.Contains(string(r.Body), "<Code>"+old+"</Code>") {
		t.Errorf("%q %s", got, r.Body)
	}
	if got := both.EncodeError(&wire.Error{Code: "Broken", Status: 500}, "id-1").
		Header.Get("X-Amzn-Query-Error"); got != "Broken;Receiver" {
		t.Error(got)
	}
}
