package sqs

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const arnPrefix = "arn:aws:sqs:" + here + ":" + home + ":"

// redriving is the attribute by which dead letters go to a queue.
func redriving(target string, most int) object {
	return object{"RedrivePolicy": fmt.Sprintf(
		`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, arnPrefix+target, most)}
}

// await repeats a receive until these bodies have come: what crosses queues takes a moment.
func (w *world) await(url string, bodies ...string) (all []object) {
	w.t.Helper()
	for len(all) < len(bodies) {
		got := w.receive(url, object{"AttributeNames": []string{"All"}, "WaitTimeSeconds": 20})
		all = append(all, got...)
	}
	if !slices.Equal(texts(all), bodies) {
		w.t.Fatalf("received %q, want %q", texts(all), bodies)
	}
	return all
}

// TestDeadLetters: what is received too often goes to another queue, with the time of its
// send; over crashes, and in rounds.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", object{"MessageRetentionPeriod": "1209600"})
	set := redriving("dead", 2)
	set["VisibilityTimeout"], set["MessageRetentionPeriod"] = "30", "600"
	url := w.create("work", set)
	w.send(url, "poison")
	sent := w.clock.Now()
	for range 2 {
		w.want(url, "poison")
		w.crash()
		w.pass(30 * time.Second)
	}
	m := w.await(dead, "poison")[0]
	all := m["Attributes"].(object)
	if all["DeadLetterQueueSourceArn"] != arnPrefix+"work" ||
		all["SentTimestamp"] != fmt.Sprint(sent.UnixMilli()) {
		t.Errorf("attributes of the dead letter: %v", all)
	}
	w.want(url)
	out := w.do("ListDeadLetterSourceQueues", object{"QueueUrl": dead})
	if list := out["queueUrls"].([]any); len(list) != 1 || list[0] != url {
		t.Errorf("sources: %v", out)
	}
	// The other way round, too: a circle loses nothing.
	w.do("SetQueueAttributes", object{"QueueUrl": dead, "Attributes": redriving("work", 1)})
	w.pass(30 * time.Second)
	w.await(url, "poison")
}

// TestRetentionOfDead: of standard queues it counts from the send, of FIFO queues from
// the death.
func TestRetentionOfDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		suffix string
		left   []string
	}{{"", nil}, {".fifo", []string{"late"}}} {
		kind := object{"MessageRetentionPeriod": "100"}
		if c.suffix != "" {
			kind["FifoQueue"], kind["ContentBasedDeduplication"] = "true", "true"
		}
		dead := w.create("dead"+c.suffix, kind)
		for k, v := range redriving("dead"+c.suffix, 1) {
			kind[k] = v
		}
		url := w.create("work"+c.suffix, kind)
		in := object{"QueueUrl": url, "MessageBody": "late"}
		if c.suffix != "" {
			in["MessageGroupId"] = "g"
		}
		w.do("SendMessage", in)
		w.receive(url, object{"VisibilityTimeout": 60})
		w.pass(60 * time.Second)
		m := w.await(dead, "late")[0]
		w.do("ChangeMessageVisibility", object{"QueueUrl": dead,
			"ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0})
		w.pass(60 * time.Second)
		w.want(dead, c.left...)
	}
}

// TestDeadLetterGone: while there is no queue for dead letters, messages stay.
func TestDeadLetterGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	set := redriving("dead", 1)
	set["VisibilityTimeout"] = "0"
	url := w.create("work", set)
	w.do("DeleteQueue", object{"QueueUrl": dead})
	w.send(url, "a")
	for range 3 {
		w.await(url, "a")
	}
	w.restart()
	w.await(url, "a")
	w.create("dead", nil)
	w.await(dead, "a")
}

// TestRedrivePolicies are what is refused, in AWS's words.
func TestRedrivePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("work", nil)
	w.create("dead", object{"RedriveAllowPolicy": `{"redrivePermission":"byQueue",` +
		`"sourceQueueArns":["` + arnPrefix + `friend"]}`})
	w.fifo("dead.fifo", nil)
	const target = `"deadLetterTargetArn":"` + arnPrefix
	for _, c := range []struct{ name, value, code, part string }{
		{"RedrivePolicy", "4", "InvalidAttributeValue", "not a valid JSON map"},
		{"RedrivePolicy", "{}", "InvalidParameterValue", "attribute: maxReceiveCount."},
		{"RedrivePolicy", `{"maxReceiveCount":1}`, "InvalidParameterValue", "deadLetterTarget"},
		{"RedrivePolicy", `{"maxReceiveCount":"0",` + target + `dead"}`, "InvalidParameterValue",
			"Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000"},
		{"RedrivePolicy", `{"maxReceiveCount":1001,` + target + `dead"}`,
			"InvalidParameterValue", "maxReceiveCount: 1001"},
		{"RedrivePolicy", `{"maxReceiveCount":1,"deadLetterTargetArn":"arn:aws:sns:r:a:t"}`,
			"InvalidParameterValue", "Only SQS queues"},
		{"RedrivePolicy", `{"maxReceiveCount":1,"deadLetterTargetArn":"dead"}`,
			"InvalidParameterValue", "fully qualified"},
		{"RedrivePolicy", `{"maxReceiveCount":1,"x":1,` + target + `dead"}`,
			"InvalidParameterValue", "Only following attributes"},
		{"RedrivePolicy", `{"maxReceiveCount":1,` + target + `none"}`,
			"AWS.SimpleQueueService.NonExistentQueue", "Dead letter target does not exist."},
		{"RedrivePolicy", `{"maxReceiveCount":1,` + target + `dead.fifo"}`,
			"InvalidParameterValue", "same type of queue as the source.."},
		{"RedrivePolicy", `{"maxReceiveCount":1,` + target + `dead"}`,
			"InvalidParameterValue", "does not allow"},
		{"RedriveAllowPolicy", "x", "InvalidAttributeValue", "unsupported format"},
		{"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, "InvalidParameterValue",
			"one or more sourceQueueArns"},
		{"RedriveAllowPolicy", `{"redrivePermission":"denyAll","sourceQueueArns":["` +
			arnPrefix + `q"]}`, "InvalidParameterValue", "set redrivePermission to byQueue"},
	} {
		w.refused("ROOT", "SetQueueAttributes",
			object{"QueueUrl": url, "Attributes": object{c.name: c.value}}, c.code, c.part)
	}
	w.create("friend", redriving("dead", 1))
	text := `{"maxReceiveCount":"7",` + target + `dead"}`
	friend := w.do("GetQueueUrl", object{"QueueName": "friend"})["QueueUrl"].(string)
	w.do("SetQueueAttributes", object{"QueueUrl": friend,
		"Attributes": object{"RedrivePolicy": text}})
	if got := w.attribute(friend, "RedrivePolicy"); got != text {
		t.Errorf("RedrivePolicy is shown as %q", got)
	}
	w.do("SetQueueAttributes", object{"QueueUrl": friend,
		"Attributes": object{"RedrivePolicy": ""}})
	if got := w.attribute(friend, "RedrivePolicy"); got != "" {
		t.Errorf("RedrivePolicy is still %q", got)
	}
}

// TestRetentionOfSource: what was kept for too long is gone, and no dead letter.
func TestRetentionOfSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	set := redriving("dead", 1)
	set["MessageRetentionPeriod"] = "60"
	url := w.create("work", set)
	w.send(url, "old")
	w.pass(time.Minute)
	w.kill(url, dead, "poison")
	w.await(dead, "poison")
}
