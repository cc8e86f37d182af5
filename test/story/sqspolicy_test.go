package story

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coffer/test/story/kit"
)

// TestQueueConditions lets a user who has no policy in by the queue's policy alone, on
// conditions: the transport, the address, the principal, the queue's tags, the time.
func TestQueueConditions(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	carol := user(t, s, a, "carol", mayUse("iam:Get*"))
	url := queue(t, a, "orders")
	kit.Do(t, a.SQS.TagQueue, &sqs.TagQueueInput{
		QueueUrl: url, Tags: map[string]string{"team": "red"}})
	send := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}
	kit.Refused(t, carol.SQS.SendMessage, send, "AccessDenied")
	arn := "arn:aws:iam::" + firstAccount + ":user/carol"
	for _, c := range []struct {
		condition string
		allowed   bool
	}{
		{`"Bool":{"aws:SecureTransport":"true"}`, true},
		{`"Bool":{"aws:SecureTransport":"false"}`, false},
		{`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, true},
		{`"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, false},
		{`"ArnEquals":{"aws:PrincipalArn":"` + arn + `"}`, true},
		{`"ArnEquals":{"aws:PrincipalArn":"` + arn + `s"}`, false},
		{`"StringEquals":{"aws:PrincipalAccount":"` + firstAccount + `"}`, true},
		{`"StringEquals":{"aws:username":"carol"}`, true},
		{`"StringEquals":{"aws:ResourceTag/team":"red"}`, true},
		{`"StringEquals":{"aws:ResourceTag/team":"blue"}`, false},
		{`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, true},
		{`"StringLike":{"aws:UserAgent":"aws-sdk-go-v2/*"}`, true},
		{`"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}`, true},
		{`"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}`, false},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:*"}`, false},
		{`"Bool":{"aws:ViaAWSService":"false"}`, true},
	} {
		set(t, a, url, "Policy", statement(`"Principal":{"AWS":"`+arn+`"},`+
			`"Action":"sqs:SendMessage","Resource":"`+queueAttribute(t, a, url, "QueueArn")+`"`,
			c.condition))
		if c.allowed {
			kit.Do(t, carol.SQS.SendMessage, send)
		} else {
			kit.Refused(t, carol.SQS.SendMessage, send, "AccessDenied")
		}
	}
	set(t, a, url, "Policy", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*",
		 "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	kit.Do(t, carol.SQS.SendMessage, send)
}

// TestSecondGate_D18 receives from queues under SSE-SQS with and without the second gate,
// whose policies let everybody in: with it only a principal whose own policy allows
// kms:Decrypt gets messages, which nobody of another account has.
func TestSecondGate_D18(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	_, others := guests(t, s)
	people := map[string]*kit.AWS{"root": a, "guest": others["both"],
		"reader": user(t, s, a, "reader", mayUse("sqs:ReceiveMessage,kms:Decrypt")),
		"plain":  user(t, s, a, "plain", mayUse("sqs:ReceiveMessage"))}
	everybody := statement(`"Principal":"*","Resource":"*","Action":["sqs:*","kms:*"]`, "")
	for _, gated := range []string{"true", "false"} {
		url := queue(t, a, "gated-"+gated, "CofferDecryptPermission", gated, "Policy", everybody)
		sendTo(t, people["guest"], url, "a")
		for who, p := range people {
			if gated == "false" || who == "root" || who == "reader" {
				found(t, p, url, "a")
				continue
			}
			text := kit.Refused(t, p.SQS.ReceiveMessage, look(url), "AccessDenied")
			says(t, text, "is not authorized to perform: kms:Decrypt on resource: arn:aws:sqs:")
		}
		if gated == "true" {
			kit.Do(t, a.IAM.PutUserPolicy, &iam.PutUserPolicyInput{
				UserName: aws.String("plain"), PolicyName: aws.String("gate"),
				PolicyDocument: aws.String(statement(`"Action":"kms:Decrypt","Resource":"`+
					queueAttribute(t, a, url, "QueueArn")+`"`, ""))})
			found(t, people["plain"], url, "a")
		}
	}
}

// TestRedriveAllowed: whose dead letters a queue takes is decided by its policy for that,
// when the source asks for it.
func TestRedriveAllowed(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	dead := queue(t, a, "dead")
	arn := queueAttribute(t, a, dead, "QueueArn")
	url, other := queue(t, a, "orders"), queue(t, a, "others")
	redrive := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":3}`, arn)
	asks := func(url *string, code string) {
		t.Helper()
		in := &sqs.SetQueueAttributesInput{QueueUrl: url,
			Attributes: map[string]string{"RedrivePolicy": redrive}}
		if code == "" {
			kit.Do(t, a.SQS.SetQueueAttributes, in)
			set(t, a, url, "RedrivePolicy", "")
			return
		}
		kit.Refused(t, a.SQS.SetQueueAttributes, in, code)
	}
	asks(url, "")
	set(t, a, dead, "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	asks(url, "InvalidParameterValue")
	set(t, a, dead, "RedriveAllowPolicy", fmt.Sprintf(`{"redrivePermission":"byQueue",`+
		`"sourceQueueArns":[%q]}`, queueAttribute(t, a, url, "QueueArn")))
	asks(url, "")
	asks(other, "InvalidParameterValue")
	in := &sqs.CreateQueueInput{QueueName: aws.String("third"),
		Attributes: map[string]string{"RedrivePolicy": redrive}}
	text := kit.Refused(t, a.SQS.CreateQueue, in, "InvalidParameterValue")
	if !strings.Contains(text, "does not allow the source queue.") {
		t.Errorf("%q", text)
	}
	set(t, a, dead, "RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`)
	asks(other, "")
}
