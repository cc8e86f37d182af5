package sqs

import (
	"slices"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/policy"
)

// person adds a user of an account with a policy.
func (w *world) person(name, account, document string) {
	w.t.Helper()
	doc, err := policy.Parse([]byte(document), policy.Identity)
	must(w.t, err)
	arn := "arn:aws:iam::" + account + ":user/" + name
	w.people[name] = &gateway.Identity{
		Secret: sigv4.NewSecret("secret"),
		Principal: policy.Principal{Kind: policy.User, Account: account, ARN: arn,
			UserID: "AIDA" + strings.ToUpper(name)},
		Policies: []policy.Policy{{Name: "own", Document: doc}},
		Event: audit.Identity{Type: "IAMUser", PrincipalID: "AIDA" + strings.ToUpper(name),
			ARN: arn, AccountID: account, UserName: name},
	}
}

func allow(actions string) string {
	return `{"Statement":{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}}`
}

// TestDecisions: a batch is decided as what it is a batch of; who tags what is made needs
// the permission to; the policy of a queue lets others in, but not to what is the
// account's own.
func TestDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("sender", home, allow(`"sqs:SendMessage"`))
	w.person("maker", home, allow(`"sqs:CreateQueue"`))
	w.person("guest", abroad, allow(`"sqs:*"`))
	url := w.create("orders", nil)
	send := object{"QueueUrl": url, "MessageBody": "a"}
	batch := object{"QueueUrl": url, "Entries": []object{{"Id": "a", "MessageBody": "b"}}}
	allowed := func(who, op string, in object, want bool) {
		t.Helper()
		_, failure := w.try(who, op, in)
		got := failure == ""
		if got != want || !got && !strings.HasPrefix(failure, "AccessDenied: ") {
			t.Errorf("%s %s: %q", who, op, failure)
		}
	}
	allowed("sender", "SendMessage", send, true)
	allowed("sender", "SendMessageBatch", batch, true)
	allowed("sender", "ReceiveMessage", object{"QueueUrl": url}, false)
	allowed("maker", "CreateQueue", object{"QueueName": "other"}, true)
	allowed("maker", "CreateQueue", object{"QueueName": "third", "tags": object{"a": "b"}}, false)
	allowed("guest", "SendMessage", send, false)
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"Policy": `{
		"Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + abroad + `"},"Action":"*","Resource":"*"},
			{"Effect":"Deny","Principal":"*","Action":"sqs:SendMessage","Resource":"*",
			 "Condition":{"StringEquals":{"aws:ResourceTag/state":"closed"}}}]}`}})
	allowed("guest", "SendMessage", send, true)
	allowed("guest", "GetQueueUrl", object{"QueueName": "orders",
		"QueueOwnerAWSAccountId": home}, true)
	for op := range ownAccount {
		switch op {
		case "CreateQueue", "ListQueues":
		case "SetQueueAttributes":
			allowed("guest", op, object{"QueueUrl": url, "Attributes": object{}}, false)
		case "TagQueue":
			allowed("guest", op, object{"QueueUrl": url, "Tags": object{}}, false)
		case "UntagQueue":
			allowed("guest", op, object{"QueueUrl": url, "TagKeys": []string{}}, false)
		case "DeleteQueue", "ListQueueTags":
			allowed("guest", op, object{"QueueUrl": url}, false)
		}
	}
	w.do("TagQueue", object{"QueueUrl": url, "Tags": object{"state": "closed"}})
	allowed("guest", "SendMessage", send, false)
	allowed("ROOT", "SendMessage", send, false)
}

// TestTrail: what changes queues is on the trail with the queue, what is done to messages
// is not.
func TestTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.send(url, "a")
	w.do("DeleteMessage", object{"QueueUrl": url,
		"ReceiptHandle": w.one(url, nil)["ReceiptHandle"]})
	w.do("PurgeQueue", object{"QueueUrl": url})
	w.do("DeleteQueue", object{"QueueUrl": url})
	list, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: here})
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.EventName)
		if len(e.Resources) != 1 || e.Resources[0].ARN != "arn:aws:sqs:"+here+":"+home+":orders" {
			t.Errorf("%s: resources %v", e.EventName, e.Resources)
		}
	}
	if want := []string{"DeleteQueue", "PurgeQueue", "CreateQueue"}; !slices.Equal(names, want) {
		t.Errorf("the trail has %q", names)
	}
}

// TestWrongRegion: who may see it is told in which Region the queue is.
func TestWrongRegion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := object{"QueueUrl": w.create("orders", nil), "MessageBody": "x"}
	const code, hint = "AWS.SimpleQueueService.NonExistentQueue", "exist. Your account has one " +
		"of this name in us-east-1; the request is signed for eu-west-1."
	w.refused("ROOT@eu-west-1", "SendMessage", in, code, hint)
	w.refused("ROOT@eu-west-1", "GetQueueUrl", object{"QueueName": "orders"}, code, hint)
	w.refused("ROOT@eu-west-1", "GetQueueUrl", object{"QueueName": "other"}, code, "not exist.")
	if _, failure := w.try("OTHER@eu-west-1", "SendMessage", in); strings.Contains(failure, here) {
		t.Errorf("another account is told %q", failure)
	}
}
