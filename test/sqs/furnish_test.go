package sqs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// furnish makes the queues that mistakes are made with and gives the names that the
// table has for them and for what is in them.
func (s *server) furnish() map[string]string {
	s.t.Helper()
	names := map[string]string{"host": s.host(), "base": s.base}
	s.create(names, "standard", "standard", nil)
	s.create(names, "small", "small", members{"MaximumMessageSize": "1024"})
	s.create(names, "fifo", "groups.fifo", members{"FifoQueue": "true"})
	s.create(names, "content", "content.fifo",
		members{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	s.create(names, "dead", "dead", nil)
	s.create(names, "source", "source", members{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":3}`,
			names["deadArn"]),
	})
	names["absent"] = strings.TrimSuffix(names["standard"], "standard") + "absent"
	names["absentArn"] = strings.TrimSuffix(names["standardArn"], "standard") + "absent"
	names["account"] = strings.Split(names["standardArn"], ":")[4]

	names["held"] = s.receive(names["standard"])
	names["deleted"] = s.receive(names["small"])
	s.call("DeleteMessage", members{
		"QueueUrl": names["small"], "ReceiptHandle": names["deleted"],
	})
	s.call("AddPermission", members{
		"QueueUrl": names["standard"], "Label": "taken",
		"AWSAccountIds": []string{names["account"]}, "Actions": []string{"SendMessage"},
	})
	s.call("PurgeQueue", members{"QueueUrl": names["source"]})
	return names
}

// create makes a queue; its URL and ARN get names.
func (s *server) create(names map[string]string, name, queue string, attributes members) {
	s.t.Helper()
	in := members{"QueueName": queue, "Attributes": attributes}
	if attributes == nil {
		delete(in, "Attributes")
	}
	names[name] = s.call("CreateQueue", in)["QueueUrl"].(string)
	out := s.call("GetQueueAttributes", members{
		"QueueUrl": names[name], "AttributeNames": []string{"QueueArn"},
	})
	names[name+"Arn"] = out["Attributes"].(members)["QueueArn"].(string)
}

// receive sends a message and receives it for the longest time; it gives the handle.
func (s *server) receive(url string) string {
	s.t.Helper()
	s.call("SendMessage", members{"QueueUrl": url, "MessageBody": "held"})
	out := s.call("ReceiveMessage", members{
		"QueueUrl": url, "VisibilityTimeout": 43200, "WaitTimeSeconds": 20,
	})
	list, ok := out["Messages"].([]any)
	if !ok || len(list) != 1 {
		s.t.Fatalf("received %v", out)
	}
	return list[0].(members)["ReceiptHandle"].(string)
}

// counts tells what every queue holds, and which queues there are.
func (s *server) counts(names map[string]string) (out []string) {
	s.t.Helper()
	for _, url := range s.call("ListQueues", members{})["QueueUrls"].([]any) {
		all := s.call("GetQueueAttributes", members{
			"QueueUrl": url, "AttributeNames": []string{"All"},
		})["Attributes"].(members)
		tags := s.call("ListQueueTags", members{"QueueUrl": url})
		list := []string{fmt.Sprint(url, tags)}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, fmt.Sprint(name, "=", all[name]))
		}
		out = append(out, strings.Join(list, " "))
	}
	return out
}
