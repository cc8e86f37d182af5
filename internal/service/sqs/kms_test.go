package sqs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
)

// askKMS calls KMS directly and gives the answer, or the refusal's code.
func (w *world) askKMS(who, op string, in object) (out object, code string) {
	w.t.Helper()
	body, err := json.Marshal(in)
	must(w.t, err)
	rec := w.post(who, "kms", "/", "application/x-amz-json-1.1", "TrentService."+op, body)
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil && rec.Body.Len() > 0 {
		w.t.Fatalf("%s: %d %q: %v", op, rec.Code, rec.Body, err)
	}
	if rec.Code != 200 {
		code, _ = out["__type"].(string)
		return nil, code
	}
	return out, ""
}

// key makes a customer key of home, with a policy if one is given, and gives its ARN.
func (w *world) key(document string) string {
	w.t.Helper()
	in := object{}
	if document != "" {
		in["Policy"] = document
	}
	out, code := w.askKMS("ROOT", "CreateKey", in)
	if code != "" {
		w.t.Fatalf("CreateKey: %s", code)
	}
	return out["KeyMetadata"].(object)["Arn"].(string)
}

func (w *world) change(op, key string) {
	w.t.Helper()
	if _, code := w.askKMS("ROOT", op, object{"KeyId": key}); code != "" {
		w.t.Fatalf("%s: %s", op, code)
	}
}

// kmsEvents lists what an account's trail has of the service's calls to KMS, the oldest
// first.
func (w *world) kmsEvents(account string) (list []*audit.Event) {
	w.t.Helper()
	all, _, err := w.log.Lookup(w.t.Context(), audit.Query{Account: account, Region: here,
		Limit: 50})
	must(w.t, err)
	for _, e := range slices.Backward(all) {
		if e.EventSource == "kms.amazonaws.com" && e.UserIdentity.InvokedBy == Principal {
			list = append(list, e)
		}
	}
	return list
}

func namesOf(list []*audit.Event) string {
	var names []string
	for _, e := range list {
		name := e.EventName
		if e.ErrorCode != "" {
			name += " " + e.ErrorCode
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func sseKMS(key string) object {
	return object{"SqsManagedSseEnabled": "false", "KmsMasterKeyId": key,
		"KmsDataKeyReusePeriodSeconds": "300"}
}

// TestReuse_SQS12: in a reuse period each principal that sends makes two calls of KMS, and
// each that receives one; sealing goes on under the next period's data key; SSE-SQS makes
// none (SQS-04, CT-03).
func TestReuse_SQS12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"p1", "p2", "c1", "c2", "c3"} {
		w.person(name, home, allow(`"sqs:*","kms:Decrypt","kms:GenerateDataKey"`))
	}
	url := w.create("orders", sseKMS(w.key("")))
	free := w.create("free", nil)
	before := 0
	for period := range 3 {
		for range 3 {
			for _, p := range []string{"p1", "p2"} {
				for _, q := range []string{url, free} {
					_, failure := w.try(p, "SendMessage", object{"QueueUrl": q, "MessageBody": "a"})
					if failure != "" {
						t.Fatal(failure)
					}
				}
			}
			for _, c := range []string{"c1", "c2", "c3"} {
				for _, q := range []string{url, free} {
					in := object{"QueueUrl": q, "WaitTimeSeconds": 20, "VisibilityTimeout": 0}
					if out, failure := w.try(c, "ReceiveMessage", in); out["Messages"] == nil {
						t.Fatalf("%s: %v %s", c, out, failure)
					}
				}
			}
			w.pass(time.Minute)
		}
		got := len(w.kmsEvents(home)) - before
		if want := 2*2 + 3; got != want {
			t.Errorf("period %d: %d calls of KMS, want %d: %s", period, got, want,
				namesOf(w.kmsEvents(home)[before:]))
		}
		before += got
		w.pass(5 * time.Minute)
	}
	q, err := w.svc.queueOfARN("SourceArn", arnPrefix+"orders")
	must(t, err)
	if n := len(q.place.Load().sealer.realm.keys); n != 1+3 {
		t.Errorf("%d data keys, want that of SSE-SQS and one for each period", n)
	}
}

// TestNeeds_SQS12: a producer needs kms:GenerateDataKey and kms:Decrypt, a consumer
// kms:Decrypt; the one who may not takes no message from the others.
func TestNeeds_SQS12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, more := range map[string]string{"all": `,"kms:Decrypt","kms:GenerateDataKey"`,
		"maker": `,"kms:GenerateDataKey"`, "reader": `,"kms:Decrypt"`, "none": ""} {
		w.person(name, home, allow(`"sqs:*"`+more))
	}
	key := w.key("")
	url := w.create("orders", sseKMS(key))
	for _, c := range []struct {
		who           string
		send, receive bool
	}{{"none", false, true}, {"all", true, true}, {"maker", false, false},
		{"reader", false, true}, {"none", false, false}} {
		_, sent := w.try(c.who, "SendMessage", object{"QueueUrl": url, "MessageBody": "a"})
		_, got := w.try(c.who, "ReceiveMessage", object{"QueueUrl": url, "VisibilityTimeout": 0})
		if (sent == "") != c.send || (got == "") != c.receive {
			t.Errorf("%s: send %q, receive %q", c.who, sent, got)
		}
		for _, f := range []string{sent, got} {
			if f != "" && !strings.HasPrefix(f, "KMS.AccessDeniedException: ") {
				t.Errorf("%s: %q", c.who, f)
			}
		}
	}
	w.person("all", home, allow(`"sqs:*","kms:Decrypt"`)) // within the reuse period
	w.refused("all", "SendMessage", object{"QueueUrl": url, "MessageBody": "a"},
		"KMS.AccessDeniedException", "kms:GenerateDataKey")
	m := w.one(url, object{"AttributeNames": []string{"All"}})
	if n := m["Attributes"].(object)["ApproximateReceiveCount"]; n != "3" {
		t.Errorf("received %v times: by all, by reader and now", n)
	}
}

// TestStates_SQS14: keys that cannot be used, with the errors of the model, on sends and
// receives; a key that can be used again loses nothing.
func TestStates_SQS14(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("")
	url := w.create("orders", sseKMS(key))
	w.send(url, "a", "b")
	both := func(code, part string) {
		t.Helper()
		w.refused("ROOT", "SendMessage", object{"QueueUrl": url, "MessageBody": "c"}, code, part)
		w.refused("ROOT", "SendMessageBatch", object{"QueueUrl": url, "Entries": []object{
			{"Id": "a", "MessageBody": "c"}}}, code, part)
		w.refused("ROOT", "ReceiveMessage", object{"QueueUrl": url}, code, part)
	}
	w.change("DisableKey", key)
	both("KMS.DisabledException", key+" is disabled. (Service: AWSKMS; Status Code: 400; "+
		"Error Code: DisabledException; Request ID: ")
	if n := w.attribute(url, "ApproximateNumberOfMessages"); n != "2" {
		t.Errorf("%s messages", n)
	}
	w.change("EnableKey", key)
	if m := w.one(url, object{"VisibilityTimeout": 0}); m["Body"] != "a" {
		t.Errorf("received %v", m)
	}
	w.change("ScheduleKeyDeletion", key)
	both("KMS.InvalidStateException", key+" is pending deletion. (Service: AWSKMS; ")
	w.restart()
	both("KMS.InvalidStateException", key+" is pending deletion. (Service: AWSKMS; ")
	w.change("CancelKeyDeletion", key)
	w.change("EnableKey", key)
	w.crash()
	if got := w.bodies(url, 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("received %q", got)
	}
	for name, code := range map[string]string{
		"alias/none":                           "KMS.NotFoundException",
		"11111111-2222-3333-4444-555555555555": "KMS.NotFoundException",
	} {
		other := w.create("q"+fmt.Sprint(len(name)), sseKMS(name))
		w.refused("ROOT", "SendMessage", object{"QueueUrl": other, "MessageBody": "a"}, code,
			"(Service: AWSKMS; ")
	}
	out, code := w.askKMS("ROOT", "CreateKey", object{"KeySpec": "HMAC_256",
		"KeyUsage": "GENERATE_VERIFY_MAC"})
	if code != "" {
		t.Fatal(code)
	}
	other := w.create("mac", sseKMS(out["KeyMetadata"].(object)["Arn"].(string)))
	w.refused("ROOT", "SendMessage", object{"QueueUrl": other, "MessageBody": "a"},
		"KMS.InvalidKeyUsageException", "(Service: AWSKMS; ")
}

// TestPollers_D01: who waits for messages is told at once that the key was disabled, and
// waits on when something else about it was changed.
func TestPollers_D01(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("")
	url := w.create("orders", sseKMS(key))
	w.send(url, "a")
	w.one(url, nil)
	ended := w.poll(url, "orders")
	if _, code := w.askKMS("ROOT", "PutKeyPolicy", object{"KeyId": key,
		"Policy": ownerPolicy}); code != "" {
		t.Fatal(code)
	}
	w.send(url, "b")
	if got := <-ended; got != "b" {
		t.Errorf("after a change of the policy: %q", got)
	}
	ended = w.poll(url, "orders")
	w.change("DisableKey", key)
	if got := <-ended; !strings.HasPrefix(got, "KMS.DisabledException: ") {
		t.Errorf("after the key was disabled: %q", got)
	}
}

// ownerPolicy lets the account decide.
const ownerPolicy = `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*",` +
	`"Principal":{"AWS":"arn:aws:iam::` + home + `:root"}}}`

// TestSwitch_SQS13: encryption can be switched in every direction; what is there stays as
// it was sealed; the attributes say what holds (SQS-02, SQS-03, SQS-15).
func TestSwitch_SQS13(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("reader", home, allow(`"sqs:*"`))
	first, second := w.key(""), w.key("")
	url := w.create("orders", object{"SqsManagedSseEnabled": "true", "KmsMasterKeyId": ""})
	set := func(attributes object) {
		t.Helper()
		w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": attributes})
	}
	shows := func(managed, key, reuse string) {
		t.Helper()
		for name, want := range map[string]string{"SqsManagedSseEnabled": managed,
			"KmsMasterKeyId": key, "KmsDataKeyReusePeriodSeconds": reuse} {
			if got := w.attribute(url, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	shows("true", "", "")
	w.send(url, "sse-sqs")
	set(object{"KmsMasterKeyId": first})
	shows("false", first, "300")
	w.send(url, "first")
	set(object{"KmsMasterKeyId": second, "KmsDataKeyReusePeriodSeconds": "60"})
	shows("false", second, "60")
	w.send(url, "second")
	set(object{"KmsMasterKeyId": ""})
	shows("false", "", "")
	w.send(url, "none")
	set(sseKMS("alias/aws/sqs"))
	shows("false", "alias/aws/sqs", "300")
	set(object{"SqsManagedSseEnabled": "true"})
	shows("true", "", "")
	w.refused("ROOT", "SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{
		"SqsManagedSseEnabled": "true", "KmsMasterKeyId": first}}, "InvalidAttributeName",
		"You can use one type of server-side encryption (SSE) at one time.")
	w.change("DisableKey", first)
	out, failure := w.try("reader", "ReceiveMessage", object{"QueueUrl": url,
		"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 0})
	if list, _ := out["Messages"].([]any); failure != "" || len(list) != 2 {
		t.Errorf("without a right to keys: %v %s", out, failure)
	}
	w.restart()
	var got []string
	for len(got) < 3 { // one receive may come before the other keys are there again
		for _, m := range w.receive(url, object{"WaitTimeSeconds": 20}) {
			got = append(got, m["Body"].(string))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"none", "second", "sse-sqs"}) {
		t.Errorf("with the first key disabled: %q", got)
	}
	w.change("EnableKey", first)
	if got := w.bodies(url, 1); got[0] != "first" {
		t.Errorf("with the first key enabled: %q", got)
	}
}
