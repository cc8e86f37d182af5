package sqs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestList pages through the queues of an account and Region, in the order of names.
func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for i := range 7 {
		want = append(want, w.create(fmt.Sprint("q", i), nil))
	}
	w.create("other", nil)
	_, failure := w.try("ROOT@eu-west-1", "CreateQueue", object{"QueueName": "q9"})
	if failure != "" {
		t.Fatal(failure)
	}
	var got []string
	in := object{"QueueNamePrefix": "q", "MaxResults": 3}
	for {
		out := w.do("ListQueues", in)
		for _, u := range out["QueueUrls"].([]any) {
			got = append(got, u.(string))
		}
		next, ok := out["NextToken"]
		if !ok {
			break
		}
		in["NextToken"] = next
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	first := w.do("ListQueues", object{"MaxResults": 1})["NextToken"].(string)
	for _, token := range []string{"x", first + "A", strings.ToLower(first)} {
		w.refused("ROOT", "ListQueues", object{"NextToken": token, "MaxResults": 1},
			"InvalidParameterValue", "next token")
	}
	w.refused("ROOT", "ListQueues", object{"NextToken": first, "QueueNamePrefix": "q"},
		"InvalidParameterValue", "next token")
	w.refused("OTHER", "ListQueues", object{"NextToken": first}, "InvalidParameterValue",
		"next token")
	for _, n := range []int{0, 1001} {
		w.refused("ROOT", "ListQueues", object{"MaxResults": n}, "InvalidParameterValue",
			"MaxResults")
	}
}

// TestTags adds, replaces and removes tags, up to their bounds.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := object{"QueueName": "orders", "tags": object{"a": "1", "b": "2"}}
	url := w.do("CreateQueue", in)["QueueUrl"].(string)
	w.do("TagQueue", object{"QueueUrl": url, "Tags": object{"b": "3", "c": ""}})
	w.do("UntagQueue", object{"QueueUrl": url, "TagKeys": []string{"a", "none"}})
	w.restart()
	got := w.do("ListQueueTags", object{"QueueUrl": url})["Tags"]
	if fmt.Sprint(got) != "map[b:3 c:]" {
		t.Errorf("tags %v", got)
	}
	many := object{}
	for i := range maxTags - 1 {
		many[fmt.Sprint(i)] = "x"
	}
	for text, tags := range map[string]object{
		"Too many tags": many, "Tag keys": {strings.Repeat("k", 129): ""},
		"Tag values": {"k": strings.Repeat("v", 257)},
	} {
		w.refused("ROOT", "TagQueue", object{"QueueUrl": url, "Tags": tags},
			"InvalidParameterValue", text)
	}
}
