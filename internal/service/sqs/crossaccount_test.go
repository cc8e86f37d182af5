package sqs

import (
	"fmt"
	"strings"
	"testing"

	"coffer/internal/policy"
)

// guestPolicy is a queue's policy that lets the other account receive.
const guestPolicy = `{"Statement":{"Effect":"Allow","Action":"sqs:ReceiveMessage",` +
	`"Resource":"*","Principal":{"AWS":"arn:aws:iam::` + abroad + `:root"}}}`

// guestKeyPolicy lets the other account decrypt.
const guestKeyPolicy = `{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",` +
	`"Principal":{"AWS":"arn:aws:iam::` + home + `:root"}},{"Effect":"Allow",` +
	`"Action":"kms:Decrypt","Resource":"*",` +
	`"Principal":{"AWS":"arn:aws:iam::` + abroad + `:root"}}]}`

// TestGates_SQS11: across accounts SSE-SQS has one gate, the queue's policy (SQS-06), and
// SSE-KMS has a second one, the key's (SQS-07, SQS-08); what the caller's own account
// allows is needed at each.
func TestGates_SQS11(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("both", abroad, allow(`"sqs:*","kms:*"`))
	w.person("keyless", abroad, allow(`"sqs:*"`))
	w.person("queueless", abroad, allow(`"kms:*"`))
	open, shut := w.key(guestKeyPolicy), w.key("")
	n := 0
	for _, queueOpen := range []bool{true, false} {
		for _, key := range []string{"", open, shut, "alias/aws/sqs"} {
			attributes := object{}
			if queueOpen {
				attributes["Policy"] = guestPolicy
			}
			if key != "" {
				attributes["KmsMasterKeyId"] = key
			}
			n++
			url := w.create(fmt.Sprint("q", n), attributes)
			w.send(url, "aaa")
			for _, who := range []string{"both", "keyless", "queueless"} {
				out, failure := w.try(who, "ReceiveMessage", object{"QueueUrl": url,
					"WaitTimeSeconds": 20, "VisibilityTimeout": 0})
				want, text := "", ""
				switch {
				case !queueOpen || who == "queueless":
					want, text = "AccessDenied: ", "sqs:receivemessage on resource: "
				case key == shut || key == "alias/aws/sqs" || key == open && who == "keyless":
					want, text = "KMS.AccessDeniedException: The ciphertext refers to a customer "+
						"master key that does not exist, does not exist in this region, or you "+
						"are not allowed to access. (Service: AWSKMS; Status Code: 400; Error "+
						"Code: AccessDeniedException; Request ID: ", "; Proxy: null)"
				}
				good := want == "" && failure == "" && out["Messages"] != nil ||
					want != "" && strings.HasPrefix(failure, want) &&
						strings.Contains(strings.ToLower(failure), strings.ToLower(text))
				if !good {
					t.Errorf("queue open %v, key %q, %s: %v %q", queueOpen, key, who, out, failure)
				}
			}
		}
	}
}

// TestEvents_CT05: a decryption for another account's principal is on the trails of both
// accounts; one that was denied is on the caller's alone (SQS-10).
func TestEvents_CT05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("guest", abroad, allow(`"sqs:*","kms:*"`))
	key := w.key(guestKeyPolicy)
	url := w.create("orders", object{"KmsMasterKeyId": key, "Policy": guestPolicy})
	w.send(url, "aaa")
	if got := namesOf(w.kmsEvents(home)); got != "GenerateDataKey, Decrypt" {
		t.Errorf("of the send: %s", got)
	}
	receive := func() string {
		_, failure := w.try("guest", "ReceiveMessage", object{"QueueUrl": url,
			"WaitTimeSeconds": 20, "VisibilityTimeout": 0})
		return failure
	}
	if failure := receive(); failure != "" {
		t.Fatal(failure)
	}
	theirs, ours := w.kmsEvents(abroad), w.kmsEvents(home)[2:]
	if len(theirs) != 1 || len(ours) != 1 {
		t.Fatalf("theirs %s, ours %s", namesOf(theirs), namesOf(ours))
	}
	e := ours[0]
	parameters, _ := e.RequestParameters["encryptionContext"].(map[string]any)
	for _, c := range []struct{ what, got, want string }{
		{"type", e.UserIdentity.Type, "AWSAccount"},
		{"principal", e.UserIdentity.PrincipalID, "AIDAGUEST"},
		{"account", e.UserIdentity.AccountID, abroad},
		{"name", e.UserIdentity.UserName + e.UserIdentity.ARN, ""},
		{"invoked by", e.UserIdentity.InvokedBy, Principal},
		{"name of the event", e.EventSource + " " + e.EventName, "kms.amazonaws.com Decrypt"},
		{"source", e.SourceIPAddress, Principal},
		{"agent", e.UserAgent, Principal},
		{"context", fmt.Sprint(parameters["aws:sqs:arn"]),
			"arn:aws:sqs:" + here + ":" + home + ":orders"},
		{"parameters", fmt.Sprint(len(parameters), len(e.RequestParameters),
			e.RequestParameters["encryptionAlgorithm"]), "1 2SYMMETRIC_DEFAULT"},
		{"resource", fmt.Sprint(e.Resources), fmt.Sprint(theirs[0].Resources)},
		{"key", e.Resources[0].AccountID + e.Resources[0].Type + e.Resources[0].ARN,
			home + "AWS::KMS::Key" + key},
		{"answer", fmt.Sprint(e.ResponseElements), "map[]"},
		{"kind", fmt.Sprint(e.EventType, e.ManagementEvent, e.ReadOnly), "AwsApiCalltrue true"},
		{"shared", e.SharedEventID, theirs[0].SharedEventID},
		{"theirs", theirs[0].UserIdentity.Type + theirs[0].UserIdentity.InvokedBy,
			"IAMUser" + Principal},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	doc, err := policy.Parse([]byte(allow(`"sqs:*"`)), policy.Identity)
	must(t, err)
	w.people["guest"].Policies = []policy.Policy{{Name: "own", Document: doc}}
	if failure := receive(); !strings.HasPrefix(failure, "KMS.AccessDeniedException: ") {
		t.Errorf("the very next receive after the right was taken away: %q", failure)
	}
	theirs, ours = w.kmsEvents(abroad)[1:], w.kmsEvents(home)[3:]
	if len(theirs) != 1 || theirs[0].ErrorCode == "" || len(ours) != 0 {
		t.Errorf("denied: theirs %s, ours %s", namesOf(theirs), namesOf(ours))
	}
	if theirs[0].AdditionalEventData["encodedAuthorizationMessage"] == nil {
		t.Error("the event does not tell why (D-17)")
	}
}

// TestDefaultKey_SQS05: the policy of the default key cannot be changed.
func TestDefaultKey_SQS05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", sseKMS("alias/aws/sqs"))
	w.send(url, "a")
	out, code := w.askKMS("ROOT", "DescribeKey", object{"KeyId": "alias/aws/sqs"})
	if code != "" || out["KeyMetadata"].(object)["KeyManager"] != "AWS" {
		t.Fatalf("%v %s", out, code)
	}
	id := out["KeyMetadata"].(object)["KeyId"]
	if _, code := w.askKMS("ROOT", "PutKeyPolicy", object{"KeyId": id,
		"Policy": guestKeyPolicy}); code == "" {
		t.Error("the policy of alias/aws/sqs was changed")
	}
	if w.one(url, nil)["Body"] != "a" {
		t.Error("not received")
	}
}
