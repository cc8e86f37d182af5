package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"coffer/internal/audit"
)

// events gives the events of an account by operation, newest first.
func (w *world) events(account, op string) []*audit.Event {
	w.t.Helper()
	list, _, err := w.log.Lookup(context.Background(), audit.Query{
		Account: account, Region: here, Attribute: "EventName", Value: op})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// abroadKey makes a key of home that account abroad may use.
func (w *world) abroadKey() string {
	w.t.Helper()
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*",` +
		`"Resource":"*","Principal":{"AWS":["` + home + `","` + abroad + `"]}}]}`
	return w.key("root", object{"Policy": document})
}

// TestForeignStatements: what allowed a call stands on its event; of the policy of
// another account's key only that it did.
func TestForeignStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.abroadKey()
	for who, want := range map[string]string{
		"carol": "identity policy own, statement #1 with resource policy",
		"bob":   "identity policy own, statement #1 with resource policy default, statement #1",
	} {
		w.must(who, "DescribeKey", object{"KeyId": arn}, nil)
		own := w.events(w.people[who].Principal.Account, "DescribeKey")[0]
		text := fmt.Sprint(own.AdditionalEventData["authorization"])
		if text != "kms:DescribeKey on "+arn+": allowed by "+want {
			t.Errorf("%s reads %q", who, text)
		}
	}
}

// TestSharedEvents: both accounts see a call for a key of another account, the
// owner of the key little of who it was; a call that was denied stays with the
// caller (CT-05).
func TestSharedEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.abroadKey()
	in := fmt.Sprintf(`{"KeyId":%q}`, arn)
	for _, c := range []struct {
		name, who, op, body string
		copied              bool
	}{
		{"read", "carol", "DescribeKey", in, true},
		{"effects", "carol", "CreateGrant", fmt.Sprintf(`{"KeyId":%q,"Operations":["Decrypt"],`+
			`"GranteePrincipal":"arn:aws:iam::%s:root"}`, arn, abroad), true},
		{"by a service", "carol via sqs", "Encrypt",
			fmt.Sprintf(`{"KeyId":%q,"Plaintext":"YQ=="}`, arn), true},
		{"denied", "dave", "ListGrants", in, false},
		{"of the account", "bob", "GetKeyPolicy", in, false},
		{"not for other accounts", "carol", "EnableKeyRotation", in, false},
		{"disabling", "root", "DisableKey", in, false},
		{"disabled", "carol", "GenerateDataKey",
			fmt.Sprintf(`{"KeyId":%q,"KeySpec":"AES_256"}`, arn), true},
	} {
		w.do(c.who, c.op, c.body)
		from, to := w.events(abroad, c.op), w.events(home, c.op)
		if c.who == "bob" || c.who == "root" {
			from, to = to, from
		}
		if len(from) != 1 || (len(to) == 1) != c.copied {
			t.Errorf("%s: %d events of the caller, %d of the owner", c.name, len(from), len(to))
			continue
		}
		if e := from[0]; e.UserIdentity.ARN == "" || (e.SharedEventID != "") != c.copied {
			t.Errorf("%s: the caller sees %+v", c.name, e)
		}
		if c.copied {
			same(t, c.name, from[0], to[0])
		}
	}
}

// same compares the caller's event with the owner's, who learns nothing of the
// policies that let the caller.
func same(t *testing.T, name string, from, to *audit.Event) {
	t.Helper()
	by, _ := from.AdditionalEventData["authorization"].(string)
	// What a service does has the fields that AWS publishes of it, and no more.
	told := strings.Contains(by, "allowed by identity policy own")
	if told != (from.UserIdentity.InvokedBy == "") {
		t.Errorf("%s: the caller sees %+v", name, from)
	}
	want := *from
	want.AdditionalEventData = nil
	want.EventID, want.RecipientAccountID = to.EventID, home
	want.UserIdentity = audit.Identity{Type: "AWSAccount", PrincipalID: "AIDACAROL",
		AccountID: abroad, InvokedBy: from.UserIdentity.InvokedBy}
	if !reflect.DeepEqual(*to, want) || from.EventID == to.EventID {
		t.Errorf("%s: the owner sees\n%+v\nwant\n%+v", name, *to, want)
	}
	if len(to.Resources) != 1 || to.Resources[0].AccountID != home {
		t.Errorf("%s: resources %+v", name, to.Resources)
	}
}

// TestDecryptEvent: what the owner of a key sees of another account's Decrypt by
// way of Amazon SQS has every field of the sample (CT-04, CT-05), and neither
// plaintext nor ciphertext.
func TestDecryptEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.abroadKey()
	const queue = "arn:aws:sqs:us-east-1:" + home + ":queue"
	answer := w.do("carol via sqs", "Encrypt", fmt.Sprintf(
		`{"KeyId":%q,"Plaintext":"c2VjcmV0","EncryptionContext":{"aws:sqs:arn":%q}}`, arn, queue))
	var sealed struct{ CiphertextBlob []byte }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "200 ")), &sealed); err != nil {
		t.Fatal(answer, err)
	}
	in, err := json.Marshal(object{"CiphertextBlob": sealed.CiphertextBlob,
		"EncryptionContext": object{"aws:sqs:arn": queue}})
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.do("carol via sqs", "Decrypt", string(in)); !strings.HasPrefix(answer, "200 ") {
		t.Fatal(answer)
	}
	list := w.events(home, "Decrypt")
	if len(list) != 1 {
		t.Fatalf("%d events", len(list))
	}
	text, err := json.Marshal(list[0])
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../audit/testdata/event-sqs-decrypt.json")
	if err != nil {
		t.Fatal(err)
	}
	var got, want object
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	want["awsRegion"], want["eventTime"] = here, got["eventTime"]
	want["userIdentity"].(object)["principalId"] = "AIDACAROL"
	want["userIdentity"].(object)["accountId"] = abroad
	want["requestParameters"].(object)["encryptionContext"] = object{"aws:sqs:arn": queue}
	want["resources"] = []any{object{"accountId": home, "type": "AWS::KMS::Key", "ARN": arn}}
	for field, value := range want {
		if !reflect.DeepEqual(got[field], value) {
			t.Errorf("%s is %v, want %v", field, got[field], value)
		}
	}
	if v, ok := got["responseElements"]; !ok || v != nil || got["readOnly"] != true ||
		got["sharedEventID"] == nil || got["recipientAccountId"] != home {
		t.Errorf("%s", text)
	}
	for _, hidden := range []string{"c2VjcmV0", "secret", "ciphertextBlob", "plaintext"} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("%s shows %s", text, hidden)
		}
	}
}
