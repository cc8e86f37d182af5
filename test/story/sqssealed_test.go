package story

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// TestDeadLetters_SQS13: a dead letter keeps the encryption of the queue where it died, in
// a queue under another key and on its way back by a move task. Who opens it needs that
// key; who moves it needs none, and loses nothing when it cannot be used.
func TestDeadLetters_SQS13(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	first, second := kit.CreateKey(t, a), kit.CreateKey(t, a)
	may := func(name, key string) *kit.AWS {
		return user(t, s, a, name, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"sqs:*","Resource":"*"},
			{"Effect":"Allow","Action":"kms:Decrypt","Resource":"`+key+`"}]}`)
	}
	one, two := may("one", first), may("two", second)
	dead := queue(t, a, "dead", "KmsMasterKeyId", second)
	arn := queueAttribute(t, a, dead, "QueueArn")
	url := queue(t, a, "orders", "KmsMasterKeyId", first, "RedrivePolicy",
		fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn))
	holds := func(url *string, n string) {
		t.Helper()
		kit.Wait(t, n+" messages in "+*url, func() bool {
			return queueAttribute(t, a, url, "ApproximateNumberOfMessages") == n
		})
	}
	sendTo(t, a, url, "kept")
	found(t, one, url, "kept")
	holds(dead, "1")
	kit.Refused(t, two.SQS.ReceiveMessage, look(dead), "KMS.AccessDeniedException")
	found(t, one, dead, "kept")
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(first)})
	kit.Refused(t, a.SQS.ReceiveMessage, look(dead), "KMS.DisabledException")
	s.Kill()
	s.Restart()
	a = s.AWS()
	dead, url = known(t, a, "dead"), known(t, a, "orders")
	kit.Do(t, a.SQS.StartMessageMoveTask, &sqs.StartMessageMoveTaskInput{SourceArn: &arn})
	holds(url, "1")
	kit.Refused(t, a.SQS.ReceiveMessage, look(url), "KMS.DisabledException")
	set(t, a, url, "RedrivePolicy", "")
	kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(first)})
	found(t, a, url, "kept")
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(second)})
	found(t, a, url, "kept") // the other key was never needed
}

// TestNothingReadable leaves messages in queues of every kind, in flight, delayed, dead and
// long, kills the process and reads its files: nothing that a client said is there, and
// nothing is in the log or in the exported trail but what names queues.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	const word = "Schattenwort" // in all that must not be seen
	key := kit.CreateKey(t, a)
	long := strings.Repeat(word+" ", 30_000)
	m := func(body string) *sqs.SendMessageInput {
		return &sqs.SendMessageInput{
			MessageBody: aws.String(body),
			MessageAttributes: map[string]sqstypes.MessageAttributeValue{
				word + "-text": {DataType: aws.String("String." + word),
					StringValue: aws.String(word + " value")},
				"binary": {DataType: aws.String("Binary"), BinaryValue: []byte(word)},
			},
			MessageSystemAttributes: map[string]sqstypes.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"),
					StringValue: aws.String("Root=1-" + word)}},
		}
	}
	dead := queue(t, a, "dead", "KmsMasterKeyId", key)
	redrive := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`,
		queueAttribute(t, a, dead, "QueueArn"))
	for name, attributes := range map[string][]string{
		"sse-sqs": {"RedrivePolicy", redrive}, "sse-kms": {"KmsMasterKeyId", key},
		"none": {"SqsManagedSseEnabled", "false"}, "fifo.fifo": {"FifoQueue", "true"},
		"late": {"DelaySeconds", "900", "KmsMasterKeyId", "alias/aws/sqs"},
	} {
		url := queue(t, a, name, attributes...)
		for _, body := range []string{word + " first", word + " second", long} {
			in := m(body)
			in.QueueUrl = url
			if name == "fifo.fifo" {
				in.MessageGroupId = aws.String(word + body[len(word)+1:len(word)+2])
				in.MessageDeduplicationId = aws.String(word + "-" + itoa(len(body)))
			}
			kit.Do(t, a.SQS.SendMessage, in)
		}
		if name != "late" {
			kit.Do(t, a.SQS.ReceiveMessage, look(url))
		}
	}
	kit.Wait(t, "a dead letter", func() bool {
		return queueAttribute(t, a, dead, "ApproximateNumberOfMessages") == "1"
	})
	s.Kill()
	unseen := func() {
		t.Helper()
		if files := kit.Scan(t, s.Data(), word); len(files) > 0 {
			t.Errorf("readable in %q", files)
		}
	}
	unseen()
	s.Restart()
	a = s.AWS()
	got := takeAll(t, a, known(t, a, "none"), 3)
	if aws.ToString(got[long].MessageAttributes[word+"-text"].StringValue) != word+" value" {
		t.Error("the attributes did not come back")
	}
	s.Stop()
	unseen()
	trail := t.TempDir()
	expect(t, 0, "", "audit", "export", "--data", s.Data(), "--to", trail)
	if files := kit.Scan(t, trail, word); len(files) > 0 || strings.Contains(s.Log(), word) {
		t.Errorf("readable in %q, in the log: %v", files, strings.Contains(s.Log(), word))
	}
	expect(t, 0, "0 damaged", "check", "--data", s.Data())
}
