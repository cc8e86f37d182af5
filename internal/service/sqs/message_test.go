package sqs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVisibility: a message is with one receiver until its timeout, which may be moved;
// then it comes back and counts.
func TestVisibility(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"VisibilityTimeout": "10"})
	w.send(url, "a")
	all := object{"MessageSystemAttributeNames": []string{"All"}}
	first := w.one(url, all)
	w.pass(9 * time.Second)
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("received within the timeout: %v", got)
	}
	extend := object{"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"],
		"VisibilityTimeout": 10}
	w.do("ChangeMessageVisibility", extend)
	w.pass(9 * time.Second)
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("received within the new timeout: %v", got)
	}
	w.pass(2 * time.Second)
	second := w.one(url, all)
	was, is := first["Attributes"].(object), second["Attributes"].(object)
	if was["ApproximateReceiveCount"] != "1" || is["ApproximateReceiveCount"] != "2" ||
		was["ApproximateFirstReceiveTimestamp"] != is["ApproximateFirstReceiveTimestamp"] ||
		was["SentTimestamp"] != is["SentTimestamp"] || is["SenderId"] != home ||
		first["MessageId"] != second["MessageId"] {
		t.Errorf("first %v, then %v", first, second)
	}
	w.refused("ROOT", "ChangeMessageVisibility", extend,
		"AWS.SimpleQueueService.MessageNotInflight", "not in flight")
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"]})
	again := object{"QueueUrl": url, "ReceiptHandle": second["ReceiptHandle"],
		"VisibilityTimeout": 0}
	w.do("ChangeMessageVisibility", again)
	third := w.one(url, object{"VisibilityTimeout": 43200})
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": third["ReceiptHandle"]})
	again["ReceiptHandle"] = third["ReceiptHandle"]
	w.refused("ROOT", "ChangeMessageVisibility", again, "InvalidParameterValue",
		"Message does not exist or is not available for visibility timeout change.")
	w.pass(12 * time.Hour)
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("a deleted message came back: %v", got)
	}
}

// TestCounts: a queue tells what waits, what is delayed and what is received.
func TestCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.send(url, "a", "b", "c")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "d", "DelaySeconds": 900})
	w.one(url, nil)
	check := func(want string) {
		t.Helper()
		var got []string
		for _, suffix := range []string{"", "NotVisible", "Delayed"} {
			got = append(got, w.attribute(url, "ApproximateNumberOfMessages"+suffix))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("counts %v, want %s", got, want)
		}
	}
	check("[2 1 1]")
	w.restart()
	check("[2 1 1]")
	w.do("PurgeQueue", object{"QueueUrl": url})
	check("[0 0 0]")
	w.refused("ROOT", "PurgeQueue", object{"QueueUrl": url},
		"AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on orders")
	w.pass(time.Minute)
	w.do("PurgeQueue", object{"QueueUrl": url})
}

// TestDelayAndRetention: a message waits as long as it or its queue says, and goes when
// its time is over.
func TestDelayAndRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"DelaySeconds": "60", "MessageRetentionPeriod": "600",
		"VisibilityTimeout": "43200"})
	w.send(url, "late")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "now", "DelaySeconds": 0})
	if got := w.bodies(url, 1); got[0] != "now" {
		t.Errorf("first %q", got)
	}
	w.pass(61 * time.Second)
	if got := w.bodies(url, 1); got[0] != "late" {
		t.Errorf("then %q", got)
	}
	w.pass(601 * time.Second)
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("kept for too long: %v", got)
	}
	w.do("SetQueueAttributes", object{"QueueUrl": url,
		"Attributes": object{"DelaySeconds": "0", "MessageRetentionPeriod": "120"}})
	w.send(url, "short")
	w.pass(121 * time.Second)
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("the new period does not count: %v", got)
	}
}

// TestAttributesOfMessages: they come back as they were sent, those that are asked for,
// with the digest of what comes.
func TestAttributesOfMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	attributes := object{
		"a.one": object{"DataType": "String", "StringValue": "x"},
		"a.two": object{"DataType": "Number.int", "StringValue": "7"},
		"b":     object{"DataType": "Binary.png", "BinaryValue": "AQI="},
	}
	const long = 1 << 17 // of a text that has no bound of its own
	sent := w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "m",
		"MessageAttributes": attributes, "MessageGroupId": "tenant",
		"MessageSystemAttributes": object{
			"AWSTraceHeader": object{"DataType": "String",
				"StringValue": strings.Repeat("x", long)}}})
	for want, names := range map[string][]string{
		"":              nil,
		"a.one a.two b": {"All"},
		"a.one a.two":   {"a.*"},
		"b":             {"b", "c"},
	} {
		m := w.one(url, object{"VisibilityTimeout": 0, "MessageAttributeNames": names,
			"MessageSystemAttributeNames": []string{"AWSTraceHeader", "MessageGroupId"}})
		got, _ := m["MessageAttributes"].(object)
		var list []string
		for name, value := range got {
			list = append(list, name)
			if fmt.Sprint(value) != fmt.Sprint(attributes[name]) {
				t.Errorf("%s is %v", name, value)
			}
		}
		slices.Sort(list)
		if strings.Join(list, " ") != want {
			t.Errorf("%q gives %q", names, list)
		}
		digest, _ := m["MD5OfMessageAttributes"].(string)
		if whole := digest == sent["MD5OfMessageAttributes"]; whole != (len(list) == 3) ||
			(digest == "") != (len(list) == 0) {
			t.Errorf("%q: digest %q", names, digest)
		}
		system := m["Attributes"].(object)
		if len(system) != 2 || system["MessageGroupId"] != "tenant" ||
			len(system["AWSTraceHeader"].(string)) != long {
			t.Errorf("system attributes %v", system)
		}
	}
}

// TestBatches: each entry of a batch stands for itself, and a batch that is wrong as a
// whole does nothing.
func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	entry := func(id, body string) object { return object{"Id": id, "MessageBody": body} }
	out := w.do("SendMessageBatch", object{"QueueUrl": url, "Entries": []object{
		entry("good", "g"), entry("bad", "\x01"), entry("empty", ""),
		{"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
	}})
	if got := outcome(out); got != "good+ bad-InvalidMessageContents empty-MissingParameter "+
		"late-InvalidParameterValue" {
		t.Errorf("send: %s", got)
	}
	handle := w.one(url, nil)["ReceiptHandle"]
	both := []object{{"Id": "a", "ReceiptHandle": handle}, {"Id": "b", "ReceiptHandle": "x"}}
	for _, op := range []string{"ChangeMessageVisibilityBatch", "DeleteMessageBatch"} {
		out := w.do(op, object{"QueueUrl": url, "Entries": both})
		if got := outcome(out); got != "a+ b-ReceiptHandleIsInvalid" {
			t.Errorf("%s: %s", op, got)
		}
	}
	var eleven []object
	for i := range 11 {
		eleven = append(eleven, entry(fmt.Sprint(i), "x"))
	}
	half := strings.Repeat("x", maxPayload/2+1)
	for code, entries := range map[string][]object{
		"EmptyBatchRequest":            {},
		"TooManyEntriesInBatchRequest": eleven,
		"BatchEntryIdsNotDistinct":     {entry("a", "x"), entry("a", "x")},
		"InvalidBatchEntryId":          {entry("a b", "x")},
		"BatchRequestTooLong":          {entry("a", half), entry("b", half)},
	} {
		w.refused("ROOT", "SendMessageBatch", object{"QueueUrl": url, "Entries": entries},
			"AWS.SimpleQueueService."+code, "")
	}
	if n := w.attribute(url, "ApproximateNumberOfMessages"); n != "0" {
		t.Errorf("%s messages were sent", n)
	}
}

// outcome renders the answer to a batch.
func outcome(out object) string {
	var list []string
	for _, e := range out["Successful"].([]any) {
		list = append(list, e.(object)["Id"].(string)+"+")
	}
	for _, e := range out["Failed"].([]any) {
		f := e.(object)
		list = append(list, f["Id"].(string)+"-"+f["Code"].(string))
	}
	return strings.Join(list, " ")
}

// TestReceipts: a handle is good for its queue alone, and none can be made up.
func TestReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url, other := w.create("orders", nil), w.create("other", nil)
	w.send(url, "a")
	handle := w.one(url, nil)["ReceiptHandle"].(string)
	for i := range handle {
		changed := []byte(handle)
		changed[i] ^= 1
		w.refused("ROOT", "DeleteMessage",
			object{"QueueUrl": url, "ReceiptHandle": string(changed)},
			"ReceiptHandleIsInvalid", "is not a valid receipt handle")
	}
	w.refused("ROOT", "DeleteMessage", object{"QueueUrl": other, "ReceiptHandle": handle},
		"ReceiptHandleIsInvalid", "is not a valid receipt handle")
	w.restart()
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": handle})
	w.do("DeleteQueue", object{"QueueUrl": url})
	w.create("orders", nil)
	w.refused("ROOT", "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": handle},
		"ReceiptHandleIsInvalid", "is not a valid receipt handle")
}

// TestBadMessages: what a queue does not take.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", object{"MaximumMessageSize": "1024"})
	attribute := func(name, kind, value string) object {
		return object{"MessageAttributes": object{
			name: object{"DataType": kind, "StringValue": value}}}
	}
	many := object{}
	for i := range 11 {
		many[fmt.Sprint("a", i)] = object{"DataType": "String", "StringValue": "x"}
	}
	for text, in := range map[string]object{
		"must contain the parameter MessageBody": {"MessageBody": ""},
		"Message must be shorter than 1024":      {"MessageBody": strings.Repeat("x", 1025)},
		"DelaySeconds must be >= 0":              {"DelaySeconds": -1},
		"Invalid binary character '#x0'":         {"MessageBody": "a\x00"},
		"parameter MessageDeduplicationId":       {"MessageDeduplicationId": "x"},
		"The type of message (user) attribute":   attribute("a", "Text", "x"),
		"must contain a non-empty value":         attribute("a", "String", ""),
		"they cannot start or end with '.'":      attribute("a..b", "String", "x"),
		"Number of message attributes [11]":      {"MessageAttributes": many},
		"system attribute name 'Other'": {"MessageSystemAttributes": object{
			"Other": object{"DataType": "String", "StringValue": "x"}}},
	} {
		request := object{"QueueUrl": url, "MessageBody": "x"}
		for k, v := range in {
			request[k] = v
		}
		_, failure := w.try("ROOT", "SendMessage", request)
		if !strings.Contains(failure, text) {
			t.Errorf("%v: %q, want %q", in, failure, text)
		}
	}
	for parameter, values := range map[string][]int{
		"MaxNumberOfMessages": {0, 11}, "WaitTimeSeconds": {-1, 21},
		"VisibilityTimeout": {-1, 43201},
	} {
		for _, v := range values {
			w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url, parameter: v},
				"InvalidParameterValue",
				fmt.Sprintf("Value %d for parameter %s is invalid.", v, parameter))
		}
	}
}
