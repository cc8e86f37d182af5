package story

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// bySQS gives the events of calls that SQS made for somebody, the oldest first.
func bySQS(t *testing.T, a *kit.AWS, name string) []kit.Event {
	t.Helper()
	return slices.DeleteFunc(a.Events(t, types.LookupAttributeKeyEventName, name),
		func(e kit.Event) bool { return e.At("userIdentity", "invokedBy") != "sqs.amazonaws.com" })
}

// TestQueueDecryption_CT05_SQS10: a decryption for another account's user is on the trails
// of both accounts, on the key's as users have published theirs; a refusal is on the
// caller's alone.
func TestQueueDecryption_CT05_SQS10(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b, users := guests(t, s)
	key := keyFor(t, a, secondAccount, "kms:Decrypt")
	url := queue(t, a, "orders", "KmsMasterKeyId", key, "Policy", openQueue(secondAccount, ""))
	sendTo(t, a, url, "a")
	before := len(bySQS(t, a, "Decrypt"))
	atKey(t, users["keyless"], url)
	kit.Do(t, users["both"].SQS.ReceiveMessage, look(url))
	ours, theirs := bySQS(t, a, "Decrypt")[before:], bySQS(t, b, "Decrypt")
	if len(ours) != 1 || len(theirs) != 2 || theirs[0].At("errorCode") != "AccessDeniedException" ||
		theirs[1].At("errorCode") != nil {
		t.Fatalf("the owner has %v, the caller %v", ours, theirs)
	}
	e, sample := ours[0], fixture(t, "event-sqs-decrypt.json")
	shown := maps.Clone(e)
	maps.DeleteFunc(shown, func(name string, _ any) bool { return sample[name] == nil })
	for _, f := range compare("event", map[string]any(sample), map[string]any(shown)) {
		t.Error(f)
	}
	resource, _ := e.At("resources").([]any)[0].(map[string]any)
	for what, pair := range map[string][2]any{
		"caller":         {e.At("userIdentity", "accountId"), secondAccount},
		"owner":          {resource["accountId"], firstAccount},
		"key":            {resource["ARN"], key},
		"recipient":      {e.At("recipientAccountId"), firstAccount},
		"answer":         {e.At("responseElements"), nil},
		"read only":      {e.At("readOnly"), true},
		"shared id":      {e.At("sharedEventID"), theirs[1].At("sharedEventID")},
		"their name":     {theirs[1].At("userIdentity", "userName"), "both"},
		"their resource": {fmt.Sprint(theirs[1].At("resources")), fmt.Sprint(e.At("resources"))},
		"context": {e.At("requestParameters", "encryptionContext", "aws:sqs:arn"),
			"arn:aws:sqs:us-east-1:" + firstAccount + ":orders"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	if e.At("sharedEventID") == nil ||
		theirs[0].At("additionalEventData", "encodedAuthorizationMessage") == nil {
		t.Errorf("no shared id in %v, or no reason in %v", e, theirs[0])
	}
}

// TestKMSCalls_SQS12: two who send and three who receive make 2*2+3 calls of KMS in a
// reuse period, however often they do (SQS-12); under SSE-SQS they make none, and need no
// right to a key (SQS-04, CT-03).
func TestKMSCalls_SQS12(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	var producers, consumers [3]*kit.AWS
	for i := range consumers {
		producers[i] = user(t, s, a, "p"+itoa(i), mayUse("sqs:*,kms:GenerateDataKey,kms:Decrypt"))
		consumers[i] = user(t, s, a, "c"+itoa(i), mayUse("sqs:*,kms:Decrypt"))
	}
	nobody := user(t, s, a, "nobody", mayUse("sqs:*"))
	sealed := queue(t, a, "sealed", "KmsMasterKeyId", kit.CreateKey(t, a),
		"KmsDataKeyReusePeriodSeconds", "86400")
	free := queue(t, a, "free", "SqsManagedSseEnabled", "true", "KmsMasterKeyId", "")
	for range 3 {
		for _, url := range []*string{sealed, free} {
			for _, p := range producers[:2] {
				sendTo(t, p, url, "a")
			}
			for _, c := range consumers {
				found(t, c, url, "a")
			}
		}
		sendTo(t, nobody, free, "a")
		found(t, nobody, free, "a")
	}
	made, opened := bySQS(t, a, "GenerateDataKey"), bySQS(t, a, "Decrypt")
	if len(made) != 2 || len(opened) != 2+3 {
		t.Errorf("%d data keys, %d decryptions", len(made), len(opened))
	}
	send := &sqs.SendMessageInput{QueueUrl: sealed, MessageBody: aws.String("a")}
	kit.Refused(t, consumers[0].SQS.SendMessage, send, "KMS.AccessDeniedException")
	kit.Refused(t, nobody.SQS.SendMessage, send, "KMS.AccessDeniedException")
	kit.Refused(t, nobody.SQS.ReceiveMessage, look(sealed), "KMS.AccessDeniedException")
}

// TestQueueDataEvents_D03_D05: who sent, received and deleted which message of a queue
// under SSE-SQS is on the trail and found there when an event data store selects it, and
// nothing is by default (CT-06, CT-07); nothing of a message but its id is shown, and the
// trail verifies.
func TestQueueDataEvents_D03_D05(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	reader := user(t, s, a, "reader", mayUse("sqs:ReceiveMessage,sqs:DeleteMessage"))
	url := queue(t, a, "orders")
	pass := func() (id string) {
		t.Helper()
		out := kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String(secretBody),
			MessageAttributes: map[string]sqstypes.MessageAttributeValue{"hidden-header": {
				DataType: aws.String("String"), StringValue: aws.String("hidden")}},
		})
		got := kit.Do(t, reader.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{
			QueueUrl: url, WaitTimeSeconds: 20}).Messages
		kit.Do(t, reader.SQS.DeleteMessage, &sqs.DeleteMessageInput{
			QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle})
		return aws.ToString(out.MessageId)
	}
	names := []string{"SendMessage", "ReceiveMessage", "DeleteMessage"}
	pass()
	for _, name := range names {
		if list := a.Events(t, types.LookupAttributeKeyEventName, name); len(list) != 0 {
			t.Errorf("nobody selected %v", list)
		}
	}
	kit.Do(t, a.Trail.CreateEventDataStore, &cloudtrail.CreateEventDataStoreInput{
		Name: aws.String("messages"), TerminationProtectionEnabled: aws.Bool(false),
		AdvancedEventSelectors: []types.AdvancedEventSelector{{
			FieldSelectors: []types.AdvancedFieldSelector{
				{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
				{Field: aws.String("resources.type"), Equals: []string{"AWS::SQS::Queue"}},
			}}},
	})
	id := pass()
	kit.Refused(t, reader.SQS.SendMessage, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String(secretBody)}, "AccessDenied")
	s.Kill()
	s.Restart()
	a = s.AWS()
	for _, name := range names {
		list := a.Events(t, types.LookupAttributeKeyEventName, name)
		if want := map[string]int{"SendMessage": 2}[name]; len(list) != max(want, 1) {
			t.Fatalf("%s: %v", name, list)
		}
		e, text := list[0], fmt.Sprint(list)
		who := e.At("userIdentity", "userName") == "reader"
		if e.At("eventCategory") != "Data" || who != (name != "SendMessage") ||
			!strings.Contains(text, ":orders") || strings.Contains(text, secretBody) ||
			strings.Contains(text, "hidden") {
			t.Errorf("%v", list)
		}
		if name != "DeleteMessage" && !strings.Contains(text, id) {
			t.Errorf("no message %s in %v", id, e)
		}
	}
	s.Stop()
	expect(t, 0, "", "audit", "verify", "--data", s.Data())
}
