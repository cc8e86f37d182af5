package sqs

import (
	"testing"
)

// TestAttributes: each attribute has AWS's range, the usual value without being set, and
// the value that was set afterwards; a second creation must not contradict.
func TestAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("plain", nil)
	for name, c := range map[string]struct {
		usual     string
		good, bad []string
	}{
		"VisibilityTimeout":      {"30", []string{"0", "43200"}, []string{"-1", "43201", "x", ""}},
		"DelaySeconds":           {"0", []string{"900"}, []string{"-1", "901"}},
		"MaximumMessageSize":     {"1048576", []string{"1024"}, []string{"1023", "1048577"}},
		"MessageRetentionPeriod": {"345600", []string{"60", "1209600"}, []string{"59", "1209601"}},
		"ReceiveMessageWaitTimeSeconds": {
			"0", []string{"20"}, []string{"21", "1.5"},
		},
		"SqsManagedSseEnabled": {"true", []string{"true", "false"}, []string{"perhaps"}},
		"Policy": {"", []string{`{"Statement":{"Effect":"Deny","Principal":"*",` +
			`"Action":"sqs:DeleteQueue","Resource":"*"}}`}, []string{"{}", "no"}},
	} {
		if got := w.attribute(url, name); got != c.usual {
			t.Errorf("%s is %q, want %q", name, got, c.usual)
		}
		set := func(v string) object {
			return object{"QueueUrl": url, "Attributes": object{name: v}}
		}
		for _, v := range c.good {
			w.do("SetQueueAttributes", set(v))
			if got := w.attribute(url, name); got != v {
				t.Errorf("%s is %q, want %q", name, got, v)
			}
		}
		for _, v := range c.bad {
			w.refused("ROOT", "SetQueueAttributes", set(v), "InvalidAttributeValue",
				"Invalid value for the parameter "+name+".")
		}
		last := c.good[len(c.good)-1]
		w.create("plain", object{name: last})
		if c.usual != "" && c.usual != last {
			w.refused("ROOT", "CreateQueue",
				object{"QueueName": "plain", "Attributes": object{name: c.usual}},
				"QueueAlreadyExists", "different value for attribute "+name)
		}
	}
	w.restart()
	if got := w.attribute(url, "VisibilityTimeout"); got != "43200" {
		t.Errorf("after the restart: %q", got)
	}
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"Policy": ""}})
	if got := w.attribute(url, "Policy"); got != "" {
		t.Errorf("the policy is %q", got)
	}
	for _, op := range []string{"SetQueueAttributes", "CreateQueue"} {
		w.refused("ROOT", op, object{"QueueUrl": url, "QueueName": "other",
			"Attributes": object{"Speed": "1"}}, "InvalidAttributeName", "Unknown Attribute Speed.")
	}
	w.refused("ROOT", "GetQueueAttributes", object{"QueueUrl": url,
		"AttributeNames": []string{"Speed"}}, "InvalidAttributeName", "Unknown Attribute Speed.")
}

// TestNames: what a queue may be called, and by which URLs it is found.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a b", "ä", "a.b", string(make([]byte, 81)), "a/b"} {
		w.refused("ROOT", "CreateQueue", object{"QueueName": name}, "InvalidParameterValue",
			"Can only include alphanumeric characters")
	}
	w.create("orders", nil)
	for _, url := range []string{
		"https://localhost:4566/" + home + "/orders",
		"https://sqs.us-east-1.amazonaws.com/" + home + "/orders",
		"https://queue.amazonaws.com/" + home + "/orders",
		"/" + home + "/orders", home + "/orders", "orders",
	} {
		w.send(url, "x")
	}
	for _, url := range []string{
		"https://localhost/orders", "https://localhost/1/orders", "%",
		"https://localhost/" + home + "/or.ders", "",
	} {
		w.refused("ROOT", "SendMessage", object{"QueueUrl": url, "MessageBody": "x"},
			"InvalidAddress", "is not valid for this endpoint")
	}
	missing := object{"QueueUrl": home + "/orders", "MessageBody": "x"}
	w.refused("ROOT@eu-west-1", "SendMessage", missing,
		"AWS.SimpleQueueService.NonExistentQueue", "does not exist")
	w.refused("ROOT", "GetQueueUrl", object{"QueueName": "none"},
		"AWS.SimpleQueueService.NonExistentQueue", "does not exist")
}

// TestCapitalizedTruth: Ansible makes a FIFO queue by the text True; what is shown is
// the usual one.
func TestCapitalizedTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.fifo("orders.fifo", object{"FifoQueue": "True"})
	w.do("SetQueueAttributes", object{"QueueUrl": url,
		"Attributes": object{"FifoQueue": "True", "ContentBasedDeduplication": "TRUE"}})
	w.fifo("orders.fifo", object{"FifoQueue": "TRUE", "ContentBasedDeduplication": "True"})
	for _, name := range []string{"FifoQueue", "ContentBasedDeduplication"} {
		if got := w.attribute(url, name); got != "true" {
			t.Errorf("%s is %q", name, got)
		}
	}
}
