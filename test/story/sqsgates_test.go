package story

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coffer/test/story/kit"
)

// mayUse allows an account's own user some actions, separated by commas.
func mayUse(actions string) string {
	return statement(`"Resource":"*","Action":["`+strings.ReplaceAll(actions, ",", `","`)+`"]`, "")
}

// openQueue is a queue's policy that lets an account receive, and more.
func openQueue(account, more string) string {
	return statement(`"Principal":{"AWS":"`+account+`"},"Resource":"*",`+
		`"Action":["sqs:ReceiveMessage"`+more+`]`, "")
}

// keyFor makes a key whose policy lets another account do something with it.
func keyFor(t *testing.T, a *kit.AWS, account, actions string) string {
	t.Helper()
	return aws.ToString(kit.Do(t, a.KMS.CreateKey, &kms.CreateKeyInput{
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + firstAccount + `"},
			 "Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"` + account + `"},
			 "Action":["` + actions + `"],"Resource":"*"}]}`),
	}).KeyMetadata.Arn)
}

// queue makes a queue with attributes, name by name, whose messages are visible again at
// once, and gives its URL.
func queue(t *testing.T, a *kit.AWS, name string, attributes ...string) *string {
	t.Helper()
	in := &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: pairs(attributes)}
	in.Attributes["VisibilityTimeout"] = "0"
	return kit.Do(t, a.SQS.CreateQueue, in).QueueUrl
}

// known gives the URL of a queue that is there.
func known(t *testing.T, a *kit.AWS, name string) *string {
	t.Helper()
	return kit.Do(t, a.SQS.GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: &name}).QueueUrl
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for p := range slices.Chunk(list, 2) {
		m[p[0]] = p[1]
	}
	return m
}

// set changes attributes of a queue.
func set(t *testing.T, a *kit.AWS, url *string, attributes ...string) {
	t.Helper()
	kit.Do(t, a.SQS.SetQueueAttributes, &sqs.SetQueueAttributesInput{
		QueueUrl: url, Attributes: pairs(attributes),
	})
}

// sendTo sends a body.
func sendTo(t *testing.T, a *kit.AWS, url *string, body string) {
	t.Helper()
	kit.Do(t, a.SQS.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
}

// look asks for a message that is there.
func look(url *string) *sqs.ReceiveMessageInput {
	return &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20}
}

// notYours is what KMS's client within SQS is told of another account's key (SQS-07).
var notYours = regexp.MustCompile(`^The ciphertext refers to a customer master key that does ` +
	`not exist, does not exist in this region, or you are not allowed to access\. \(Service: ` +
	`AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: ([0-9a-f-]{36}); ` +
	`Proxy: null\)`)

// guests are users of the second account, whose credentials the command line made: by
// what they may do there.
func guests(t *testing.T, s *kit.Server) (b *kit.AWS, users map[string]*kit.AWS) {
	t.Helper()
	id, secret := newAccount(t, s.Data(), secondAccount)
	s.Secret(secret)
	b = s.AWSAs(id, secret)
	users = map[string]*kit.AWS{}
	for name, actions := range map[string]string{
		"both": "sqs:*,kms:*", "keyless": "sqs:*", "queueless": "kms:*",
	} {
		users[name] = user(t, s, b, name, mayUse(actions))
	}
	return b, users
}

// TestQueueGates_SQS11 receives in another account from queues of every kind of
// encryption: SSE-SQS has one gate, the queue's policy (SQS-06); SSE-KMS has a second one,
// the key's (SQS-07, SQS-08), which the default key opens to nobody (SQS-05). What the
// caller's own account allows is needed at each.
func TestQueueGates_SQS11(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	_, users := guests(t, s)
	keys := map[string]string{
		"managed": "", "default": "alias/aws/sqs", "shut": kit.CreateKey(t, a),
		"open": keyFor(t, a, secondAccount, "kms:Decrypt"),
	}
	for kind, key := range keys {
		for _, policy := range []string{"", openQueue(secondAccount, "")} {
			name := kind + map[bool]string{true: "-closed", false: "-open"}[policy == ""]
			url := queue(t, a, name, "KmsMasterKeyId", key, "Policy", policy)
			sendTo(t, a, url, "aaa")
			for who, u := range users {
				switch {
				case policy == "" || who == "queueless":
					gate := "resource"
					if who == "queueless" {
						gate = "identity"
					}
					atQueue(t, u, url, who, name, gate)
				case kind == "managed", kind == "open" && who == "both":
					got := kit.Do(t, u.SQS.ReceiveMessage, look(url)).Messages
					if len(got) != 1 || aws.ToString(got[0].Body) != "aaa" ||
						aws.ToString(got[0].MD5OfBody) != "47bce5c74f589f4867dbd57e9ca9f808" {
						t.Errorf("%s at %s: %+v", who, name, got)
					}
				default:
					atKey(t, u, url)
				}
			}
		}
	}
}

// atQueue is kept out by the queue's policy, or by the lack of one's own.
func atQueue(t *testing.T, a *kit.AWS, url *string, who, name, gate string) {
	t.Helper()
	text := kit.Refused(t, a.SQS.ReceiveMessage, look(url), "AccessDenied")
	want := "User: arn:aws:iam::" + secondAccount + ":user/" + who + " is not authorized to " +
		"perform: sqs:receivemessage on resource: arn:aws:sqs:us-east-1:" + firstAccount + ":" +
		name + " because no " + gate + "-based policy allows the sqs:receivemessage action"
	if text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

// atKey is kept out by the key, and gives the id under which the trail has the refusal.
func atKey(t *testing.T, a *kit.AWS, url *string) (id, text string) {
	t.Helper()
	_, err := a.SQS.ReceiveMessage(t.Context(), look(url))
	code, text := kit.Fault(err)
	found := notYours.FindStringSubmatch(text)
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if code != "KMS.AccessDeniedException" || found == nil || !ok || e.HTTPStatusCode() != 400 {
		t.Fatalf("at %s: %v", *url, err)
	}
	return found[1], text[len(found[0]):]
}

// TestDefaultKey_SQS05: the default key's policy shuts out other accounts and cannot be
// changed; under a key of one's own it takes three steps, each of which is needed (SQS-08),
// and the trail has why the last refusal was one (D-17).
func TestDefaultKey_SQS05(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b, users := guests(t, s)
	url := queue(t, a, "orders", "KmsMasterKeyId", "alias/aws/sqs",
		"Policy", openQueue(secondAccount, ""))
	sendTo(t, a, url, "aaaa")
	atKey(t, users["both"], url)
	managed := kit.Do(t, a.KMS.DescribeKey, &kms.DescribeKeyInput{
		KeyId: aws.String("alias/aws/sqs")}).KeyMetadata
	shut := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
		firstAccount + `"},"Action":"kms:*","Resource":"*"}]}`
	lets := strings.Replace(shut, `"`+firstAccount+`"`,
		`["`+firstAccount+`","`+secondAccount+`"]`, 1)
	put := &kms.PutKeyPolicyInput{KeyId: managed.Arn, Policy: aws.String(lets)}
	if _, err := a.KMS.PutKeyPolicy(t.Context(), put); err == nil {
		t.Error("the policy of the default key was changed")
	}

	key := kit.CreateKey(t, a)
	url = queue(t, a, "own-key", "KmsMasterKeyId", key)
	sendTo(t, a, url, "aaaa")
	atQueue(t, users["keyless"], url, "keyless", "own-key", "resource")
	set(t, a, url, "Policy", openQueue(secondAccount, ""))
	atKey(t, users["keyless"], url)
	put.KeyId = &key
	kit.Do(t, a.KMS.PutKeyPolicy, put)
	id, more := atKey(t, users["keyless"], url)
	if more != "" {
		t.Errorf("AWS says no %q", more)
	}
	r := kit.Run(t, binary, "explain", id, "--account", secondAccount, "--data", s.Data())
	says(t, r.Out, "Decrypt of kms.amazonaws.com", ":user/keyless", "kms:Decrypt")
	kit.Do(t, b.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("keyless"),
		PolicyName: aws.String("own"), PolicyDocument: aws.String(mayUse("sqs:*,kms:Decrypt"))})
	got := kit.Do(t, users["keyless"].SQS.ReceiveMessage, look(url)).Messages
	if len(got) != 1 || aws.ToString(got[0].MD5OfBody) != "74b87337454200d4d33f80c4663dc5e5" {
		t.Errorf("received %+v", got)
	}
	put.Policy = aws.String(shut)
	kit.Do(t, a.KMS.PutKeyPolicy, put)
	atKey(t, users["keyless"], url)
}

// TestExplainDenials_D16: who asks for it gets the cause and the cure behind AWS's words.
func TestExplainDenials_D16(t *testing.T) {
	t.Parallel()
	s := start(t, "--explain-denials")
	a := s.AWS()
	_, users := guests(t, s)
	key := kit.CreateKey(t, a)
	for name, want := range map[string]string{
		"alias/aws/sqs": " The queue seals with alias/aws/sqs of account " + firstAccount +
			", which lets no other account in, and whose policy cannot be changed. Its owner " +
			"has to choose SSE-SQS, or a key of their own whose policy allows account " +
			secondAccount + " kms:Decrypt.",
		key: " The policy of key " + key + ", or a grant, has to allow account " +
			secondAccount + " kms:Decrypt, and so has a policy of arn:aws:iam::" +
			secondAccount + ":user/both.",
	} {
		url := queue(t, a, "q"+itoa(len(name)), "KmsMasterKeyId", name,
			"Policy", openQueue(secondAccount, ""))
		sendTo(t, a, url, "a")
		if _, more := atKey(t, users["both"], url); more != want {
			t.Errorf("%q, want %q", more, want)
		}
	}
}
