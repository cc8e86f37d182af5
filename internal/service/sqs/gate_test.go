package sqs

import (
	"fmt"
	"strings"
	"testing"
)

// TestGate_D18: a queue under SSE-SQS can have a second gate, which is the principal's own
// right to decrypt. What the queue's policy says does not open it, and it is shut to other
// accounts; sends and all else need no such right, and with SSE-KMS the key decides.
func TestGate_D18(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := "arn:aws:sqs:" + here + ":" + home + ":"
	for name, actions := range map[string]string{
		"nothing": `"iam:*"`, "queue": `"sqs:*"`, "key": `"kms:Decrypt"`,
		"both": `"sqs:*","kms:Decrypt"`,
	} {
		w.person(name, home, allow(actions))
	}
	w.person("narrow", home, `{"Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"},
		{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{
		 "kms:EncryptionContext:aws:sqs:arn":"`+arn+`open-true",
		 "kms:ViaService":"sqs.`+here+`.amazonaws.com"}}}]}`)
	w.person("guest", abroad, allow(`"sqs:*","kms:*"`))
	open := `{"Statement":{"Effect":"Allow","Action":["sqs:*","kms:*"],"Resource":"*",` +
		`"Principal":"*"}}`
	own := map[string]string{ // who passes which gates by their own policies
		"nothing": "", "queue": "q", "key": "k", "both": "qk", "narrow": "qk", "guest": "",
		"ROOT": "qk",
	}
	for _, gated := range []string{"true", "false"} {
		for kind, document := range map[string]string{"open": open, "shut": ""} {
			name := kind + "-" + gated
			attributes := object{"CofferDecryptPermission": gated, "Policy": document}
			url := w.create(name, attributes)
			w.send(url, "a")
			for who, passes := range own {
				in := object{"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": 0}
				_, failure := w.try(who, "ReceiveMessage", in)
				first := strings.Contains(passes, "q") || kind == "open"
				second := strings.Contains(passes, "k") || gated == "false"
				if who == "narrow" && name != "open-true" {
					second = gated == "false"
				}
				want := map[bool]string{true: "", false: "sqs:receivemessage"}[first]
				if first && !second {
					want = "kms:Decrypt"
				}
				if (failure == "") != (want == "") || !strings.Contains(failure, want) {
					t.Errorf("%s at %s: %q, want %q", who, name, failure, want)
				}
			}
		}
	}
	url := w.create("open-true", nil)
	if _, failure := w.try("queue", "SendMessage", object{"QueueUrl": url,
		"MessageBody": "b"}); failure != "" {
		t.Error(failure)
	}
	if got := w.attribute(url, "CofferDecryptPermission"); got != "true" {
		t.Errorf("the queue shows %q", got)
	}
	w.refused("ROOT", "SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{
		"CofferDecryptPermission": "yes"}}, "InvalidAttributeValue", "CofferDecryptPermission")
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{
		"KmsMasterKeyId": w.key(guestKeyPolicy)}})
	if _, failure := w.try("guest", "ReceiveMessage", object{"QueueUrl": url}); failure != "" {
		t.Errorf("under a key whose policy lets the account in: %s", failure)
	}
}

// TestGateOfMoves_D18: nobody passes a gate by moving messages to a queue without one.
func TestGateOfMoves_D18(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("mover", home, allow(`"sqs:*"`))
	dead := w.create("dead", object{"CofferDecryptPermission": "true"})
	arn := w.attribute(dead, "QueueArn")
	w.create("orders", object{"RedrivePolicy": fmt.Sprintf(
		`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn)})
	move := object{"SourceArn": arn}
	w.refused("mover", "StartMessageMoveTask", move, "AccessDenied", "kms:Decrypt")
	if _, failure := w.try("ROOT", "StartMessageMoveTask", move); failure != "" {
		t.Error(failure)
	}
}
