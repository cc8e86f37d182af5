package story

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// accessLine is how AWS's documentation reads lines of S3's server access log.
//
// Source: Amazon S3 user guide, "Using Amazon S3 server access logs to identify requests"
var accessLine = regexp.MustCompile(`^([^ ]*) ([^ ]*) \[(.*?)\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ` +
	`([^ ]*) ("[^"]*"|-) (-|[0-9]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ` +
	`("[^"]*"|-) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*)$`)

// Fields of a line.
const (
	lineOwner = iota + 1
	lineQueue
	lineTime
	lineIP
	lineRequester
	lineRequest
	lineOperation
	lineKey
	lineURI
	lineStatus
	lineCode
	lineSent
	lineSize
	lineTotal
	lineAgent = 17
	lineEvent = 19
	lineAuth  = 22
	lineTLS   = 24
)

// accessLog gives the lines that the command prints, by their fields.
func accessLog(t *testing.T, s *kit.Server, args ...string) (list [][]string) {
	t.Helper()
	out := expect(t, 0, "", append([]string{"audit", "access-log", "--data", s.Data()}, args...)...)
	if strings.Contains(out, secretBody) || strings.Contains(out, url.PathEscape(secretBody)) {
		t.Errorf("a body is in the log: %s", out)
	}
	for line := range strings.Lines(out) {
		m := accessLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Fatalf("no line of an access log: %q", line)
		}
		list = append(list, m)
	}
	return list
}

// told gives fields of the lines, a text for each.
func told(list [][]string, fields ...int) (texts []string) {
	for _, m := range list {
		var parts []string
		for _, f := range fields {
			parts = append(parts, m[f])
		}
		texts = append(texts, strings.Join(parts, " "))
	}
	return texts
}

// wantLog is shorthand for what happened at a queue, in order.
func wantLog(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("the log has\n%s\nwant\n%s", g, w)
	}
}

// selectQueues has requests about messages of all queues put on the trail.
func selectQueues(t *testing.T, a *kit.AWS) {
	t.Helper()
	kit.Do(t, a.Trail.CreateEventDataStore, &cloudtrail.CreateEventDataStoreInput{
		Name: aws.String("queues"), TerminationProtectionEnabled: aws.Bool(false),
		AdvancedEventSelectors: []types.AdvancedEventSelector{{
			FieldSelectors: []types.AdvancedFieldSelector{
				{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
				{Field: aws.String("resources.type"), Equals: []string{"AWS::SQS::Queue"}},
			}}},
	})
}

// TestAccessLog_D04_CT07: who sent, received, kept and deleted which message of a
// queue is a line each, with sizes and outcome, of batches one for each entry; of a process
// that serves as of one that was killed, and in between nothing of a message is shown.
func TestAccessLog_D04_CT07(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	selectQueues(t, a)
	eve := user(t, s, a, "eve", mayUse("sqs:GetQueueUrl"))
	at := queue(t, a, "orders")
	id := aws.ToString(kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{
		QueueUrl: at, MessageBody: aws.String(secretBody)}).MessageId)
	batch := kit.Do(t, a.SQS.SendMessageBatch, &sqs.SendMessageBatchInput{QueueUrl: at,
		Entries: []sqstypes.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String(secretBody), DelaySeconds: 900},
			{Id: aws.String("b"), MessageBody: aws.String(secretBody), DelaySeconds: 901},
		}})
	later := aws.ToString(batch.Successful[0].MessageId)
	m := kit.Do(t, a.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: at,
		WaitTimeSeconds: 20, VisibilityTimeout: 600}).Messages[0]
	kit.Do(t, a.SQS.ChangeMessageVisibility, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: at, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 900})
	kit.Refused(t, a.SQS.DeleteMessage, &sqs.DeleteMessageInput{
		QueueUrl: at, ReceiptHandle: aws.String("x\n\"y")}, "ReceiptHandleIsInvalid")
	kit.Do(t, a.SQS.DeleteMessage, &sqs.DeleteMessageInput{
		QueueUrl: at, ReceiptHandle: m.ReceiptHandle})
	kit.Do(t, a.SQS.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: at})
	kit.Refused(t, eve.SQS.SendMessage, &sqs.SendMessageInput{
		QueueUrl: at, MessageBody: aws.String(secretBody)}, "AccessDenied")
	kit.Do(t, a.SQS.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: at})
	size := itoa(len(secretBody))
	want := []string{
		"CreateQueue - - - - -",
		"SendMessage " + id + " 200 - - " + size,
		"SendMessageBatch " + later + " 200 - - " + size,
		"SendMessageBatch - 400 InvalidParameterValue - -",
		"ReceiveMessage " + id + " 200 - " + size + " " + size,
		"ChangeMessageVisibility " + id + " 200 - - -",
		"DeleteMessage - 404 ReceiptHandleIsInvalid - -",
		"DeleteMessage " + id + " 200 - - -",
		"ReceiveMessage - 200 - - -",
		"SendMessage - 403 AccessDeniedException - -",
		"PurgeQueue - - - - -",
	}
	shown := []int{lineOperation, lineKey, lineStatus, lineCode, lineSent, lineSize}
	live := accessLog(t, s, "--queue", "orders")
	wantLog(t, told(live, shown...), want...)
	s.Kill()
	list := accessLog(t, s, "--queue", "arn:aws:sqs:us-east-1:"+firstAccount+":orders",
		"--account", firstAccount, "--region", "us-east-1")
	wantLog(t, told(list, shown...), want...)
	root, by := "arn:aws:iam::"+firstAccount+":root", "arn:aws:iam::"+firstAccount+":user/eve"
	for i, line := range list {
		who := map[bool]string{true: by, false: root}[strings.Contains(want[i], "AccessDenied")]
		if line[lineOwner] != firstAccount || line[lineRequester] != who ||
			line[lineQueue] != "orders" || line[lineIP] != "127.0.0.1" ||
			line[lineTLS] != "TLSv1.3" || !strings.Contains(line[lineAgent], "aws-sdk-go-v2") {
			t.Errorf("%q", line)
		}
	}
	if n := len(accessLog(t, s, "--queue", "other")) + len(accessLog(t, s, "--until",
		"2020-01-01")); n > 0 {
		t.Errorf("%d lines of no queue", n)
	}
}

// TestAccessLogAcross_D04_CT07: a caller of another account is in the log of the queue with
// his name when his account's trail has it, and once; a FIFO queue has a log like others,
// whatever the names of its groups.
func TestAccessLogAcross_D04_CT07(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b, users := guests(t, s)
	at := queue(t, a, "orders.fifo", "FifoQueue", "true", "Policy",
		openQueue(secondAccount, `,"sqs:SendMessage"`))
	selectQueues(t, a)
	send := func(by *kit.AWS, n int) string {
		t.Helper()
		return aws.ToString(kit.Do(t, by.SQS.SendMessage, &sqs.SendMessageInput{QueueUrl: at,
			MessageBody: aws.String(secretBody), MessageDeduplicationId: aws.String(itoa(n)),
			MessageGroupId: aws.String(`"-[]_,'` + itoa(n))}).MessageId)
	}
	first := send(users["keyless"], 1)
	selectQueues(t, b)
	second, again := send(users["keyless"], 2), send(a, 2)
	kit.Refused(t, users["queueless"].SQS.SendMessage, &sqs.SendMessageInput{QueueUrl: at,
		MessageBody: aws.String(secretBody)}, "AccessDenied")
	s.Stop()
	list := accessLog(t, s, "--queue", "orders.fifo")
	wantLog(t, told(list, lineOperation, lineKey, lineCode), "CreateQueue - -",
		"SendMessage "+first+" -", "SendMessage "+second+" -", "SendMessage "+again+" -",
		"SendMessage - AccessDeniedException")
	if second != again {
		t.Errorf("%s and %s are one message", second, again)
	}
	if len(list) < 5 {
		return
	}
	guest := "arn:aws:iam::" + secondAccount + ":user/"
	if who := list[1][lineRequester]; !strings.HasPrefix(who, secondAccount+":AIDA") {
		t.Errorf("the account that selects nothing shows %q", who)
	}
	if list[2][lineRequester] != guest+"keyless" || list[4][lineRequester] != guest+"queueless" {
		t.Errorf("%q", list)
	}
}

// TestAccessLogForged_D04_CT07: requests of the query protocol have lines without what
// their query says, and nothing that a client chooses is a line or a field of its own.
func TestAccessLogForged_D04_CT07(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	selectQueues(t, a)
	at := aws.ToString(queue(t, a, "orders"))
	const agent = `x" - - %0A [01/Jan/2026:00:00:00 +0000] - é`
	form := "Action=SendMessage&Version=2012-11-05&MessageBody=" + url.QueryEscape(secretBody)
	for _, r := range []struct{ method, at, body string }{
		{"POST", at, form},
		{"POST", at + "/%22%0A%20%5Bx", form},
		{"GET", at + "?" + form, ""},
	} {
		queryProtocol(t, s, r.method, r.at, r.body, agent)
	}
	s.Stop()
	list := accessLog(t, s)
	path := "/" + firstAccount + "/orders"
	wantLog(t, told(list, lineOperation, lineURI, lineStatus, lineAuth),
		`CreateQueue "-" - -`,
		`SendMessage "POST `+path+` HTTP/2.0" 200 AuthHeader`,
		`SendMessage "GET `+path+` HTTP/2.0" 200 AuthHeader`)
	for _, line := range list[1:] {
		if line[lineAgent] != `"x%22 - - %250A [01/Jan/2026:00:00:00 +0000] - %C3%A9"` {
			t.Errorf("%q", line)
		}
	}
}

// queryProtocol makes a request of the protocol of older SDKs.
func queryProtocol(t *testing.T, s *kit.Server, method, at, body, agent string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, at,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	sum := sha256.Sum256([]byte(body))
	cred := aws.Credentials{AccessKeyID: s.Env["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: s.Env["AWS_SECRET_ACCESS_KEY"]}
	err = v4.NewSigner().SignHTTP(t.Context(), cred, r, hex.EncodeToString(sum[:]), "sqs",
		s.Env["AWS_REGION"], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	resp, err := s.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
}
