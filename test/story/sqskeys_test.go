package story

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coffer/test/story/kit"
)

// inVain fails if a send, a batch of sends or a receive is not refused with the code.
func inVain(t *testing.T, a *kit.AWS, url *string, code, part string) {
	t.Helper()
	one := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}
	batch := &sqs.SendMessageBatchInput{QueueUrl: url,
		Entries: []sqstypes.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String("x")}}}
	for _, text := range []string{
		kit.Refused(t, a.SQS.SendMessage, one, code),
		kit.Refused(t, a.SQS.SendMessageBatch, batch, code),
		kit.Refused(t, a.SQS.ReceiveMessage, look(url), code),
	} {
		if !strings.Contains(text, part) || !strings.Contains(text, " (Service: AWSKMS; ") {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}

// TestKeyStates_SQS14 takes the key of a queue away in every way: what cannot be used is
// refused at the very next request and in a poll that waits (D-01), with the model's error,
// over a kill too; what was sent is there again with the key.
func TestKeyStates_SQS14(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := aws.String(kit.CreateKey(t, a))
	url := queue(t, a, "orders", "KmsMasterKeyId", *key)
	polled := queue(t, a, "polled", "KmsMasterKeyId", *key)
	sendTo(t, a, url, "kept")
	sendTo(t, a, polled, "x")
	takeAll(t, a, polled, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := a.SQS.ReceiveMessage(t.Context(), look(polled))
		ended <- err
	}()
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: key})
	inVain(t, a, url, "KMS.DisabledException", *key+" is disabled.")
	if code, text := kit.Fault(kit.Receive(t, "the end of a poll", ended)); code !=
		"KMS.DisabledException" {
		t.Errorf("the poll ended with %s %s", code, text)
	}
	s.Kill()
	s.Restart()
	a = s.AWS()
	url = known(t, a, "orders")
	inVain(t, a, url, "KMS.DisabledException", *key+" is disabled.")
	if n := queueAttribute(t, a, url, "ApproximateNumberOfMessages"); n != "1" {
		t.Errorf("%s messages", n)
	}
	kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: key})
	found(t, a, url, "kept")
	kit.Do(t, a.KMS.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: key})
	inVain(t, a, url, "KMS.InvalidStateException", *key+" is pending deletion.")
	kit.Do(t, a.KMS.CancelKeyDeletion, &kms.CancelKeyDeletionInput{KeyId: key})
	inVain(t, a, url, "KMS.DisabledException", *key+" is disabled.")
	kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: key})
	put := &kms.PutKeyPolicyInput{KeyId: key, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
			firstAccount + `"},"Action":["kms:Put*","kms:Describe*"],"Resource":"*"}]}`)}
	kit.Do(t, a.KMS.PutKeyPolicy, put)
	inVain(t, a, url, "KMS.AccessDeniedException", "is not authorized to perform: kms:")
	put.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"AWS":"` + firstAccount + `"},"Action":"kms:*","Resource":"*"}]}`)
	kit.Do(t, a.KMS.PutKeyPolicy, put)
	found(t, a, url, "kept")
	wrongKeys(t, a)
}

// found looks at a message of a queue.
func found(t *testing.T, a *kit.AWS, url *string, body string) {
	t.Helper()
	got := kit.Do(t, a.SQS.ReceiveMessage, look(url)).Messages
	if len(got) != 1 || aws.ToString(got[0].Body) != body {
		t.Errorf("received %+v, want %q", got, body)
	}
}

// wrongKeys seals queues with what is no key for it.
func wrongKeys(t *testing.T, a *kit.AWS) {
	t.Helper()
	send := func(name, key, code, part string) {
		t.Helper()
		in := &sqs.SendMessageInput{QueueUrl: queue(t, a, name, "KmsMasterKeyId", key),
			MessageBody: aws.String("x")}
		if text := kit.Refused(t, a.SQS.SendMessage, in, code); !strings.Contains(text, part) {
			t.Errorf("%s: %q lacks %q", key, text, part)
		}
	}
	send("no-alias", "alias/none", "KMS.NotFoundException", "alias/none is not found.")
	send("no-key", "11111111-2222-3333-4444-555555555555", "KMS.NotFoundException", "exist")
	mac := kit.Do(t, a.KMS.CreateKey, &kms.CreateKeyInput{
		KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac,
	}).KeyMetadata
	send("mac", *mac.Arn, "KMS.InvalidKeyUsageException", *mac.Arn)
}

// TestKMSThrottled_SQS14: where the KMS takes no more requests of an account, so SQS says.
func TestKMSThrottled_SQS14(t *testing.T) {
	t.Parallel()
	s := start(t, "--kms-rates", "Cryptographic=1")
	a := s.AWS()
	key := kit.CreateKey(t, a)
	for n := 0; ; n++ { // each queue needs a data key of its own
		url := queue(t, a, "q"+itoa(n), "KmsMasterKeyId", key)
		in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}
		_, err := a.SQS.SendMessage(t.Context(), in)
		if code, text := kit.Fault(err); err != nil {
			if code != "KMS.ThrottlingException" || !strings.Contains(text, "(Service: AWSKMS; ") {
				t.Errorf("%v", err)
			}
			return
		}
		if n > 1000 {
			t.Fatal("KMS took a thousand requests")
		}
	}
}

// TestSwitch_SQS13 gives a queue every kind of encryption, at its creation and later
// (SQS-02, SQS-03, SQS-15): one at a time holds, and what was sent stays as it was sealed.
func TestSwitch_SQS13(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	first := aws.String(kit.CreateKey(t, a))
	kmsPair := []string{"SqsManagedSseEnabled", "false", "KmsMasterKeyId", "alias/aws/sqs",
		"KmsDataKeyReusePeriodSeconds", "300"}
	sqsPair := []string{"SqsManagedSseEnabled", "true", "KmsMasterKeyId", ""}
	shows := func(url *string, managed, key, reuse string) {
		t.Helper()
		for name, want := range map[string]string{"SqsManagedSseEnabled": managed,
			"KmsMasterKeyId": key, "KmsDataKeyReusePeriodSeconds": reuse} {
			if got := queueAttribute(t, a, url, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	shows(queue(t, a, "plain"), "true", "", "")
	shows(queue(t, a, "made-sqs", sqsPair...), "true", "", "")
	shows(queue(t, a, "made-kms", kmsPair...), "false", "alias/aws/sqs", "300")
	url := queue(t, a, "orders", sqsPair...)
	sendTo(t, a, url, "by SQS")
	set(t, a, url, "KmsMasterKeyId", *first)
	sendTo(t, a, url, "by a key")
	set(t, a, url, kmsPair...)
	shows(url, "false", "alias/aws/sqs", "300")
	sendTo(t, a, url, "by the default key")
	set(t, a, url, "SqsManagedSseEnabled", "true")
	shows(url, "true", "", "")
	for _, wrong := range [][]string{
		{"SqsManagedSseEnabled", "true", "KmsMasterKeyId", *first},
		{"KmsDataKeyReusePeriodSeconds", "59"}, {"KmsDataKeyReusePeriodSeconds", "86401"},
	} {
		in := &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: pairs(wrong)}
		if _, err := a.SQS.SetQueueAttributes(t.Context(), in); err == nil {
			t.Errorf("taken: %q", wrong)
		}
	}
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: first})
	takeAll(t, a, url, 2)
	s.Kill()
	s.Restart()
	a = s.AWS()
	url = known(t, a, "orders")
	kit.Refused(t, a.SQS.ReceiveMessage, look(url), "KMS.DisabledException")
	kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: first})
	found(t, a, url, "by a key")
}

// TestTransport_SQS01: a queue is reached by TLS and a signature or not at all, and a
// policy can say so.
func TestTransport_SQS01(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	at := queue(t, a, "orders")
	u, err := url.Parse(*at)
	if err != nil {
		t.Fatal(err)
	}
	const body = "Action=SendMessage&Version=2012-11-05&MessageBody=x"
	post := func(c *http.Client, scheme string) (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST",
			scheme+"://"+net.JoinHostPort(u.Hostname(), u.Port())+u.Path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		return resp.Status, nil
	}
	plain := &http.Transport{}
	defer plain.CloseIdleConnections()
	if status, err := post(&http.Client{Transport: plain}, "http"); err == nil &&
		!strings.HasPrefix(status, "400 ") {
		t.Errorf("without TLS: %s", status)
	}
	if status, err := post(s.HTTP(), "https"); err != nil || !strings.HasPrefix(status, "403 ") {
		t.Errorf("without a signature: %s %v", status, err)
	}
	if n := queueAttribute(t, a, at, "ApproximateNumberOfMessages"); n != "0" {
		t.Errorf("%s messages", n)
	}
}
