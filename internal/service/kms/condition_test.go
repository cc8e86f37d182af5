package kms

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	api "coffer/internal/aws/api/kms"
)

// decided is a request in which a condition key has a value, and one, of the same
// operation, in which it has another or none. %k is the key, %c a ciphertext of
// it with the context {"a":"1"}, %r another key.
type decided struct {
	key, value string
	op         string
	with       string
	without    string // empty: no request is without
	who        string // of the request with the value; empty: root
}

const (
	plainGrant = `{"KeyId":"%k","GranteePrincipal":"mq.amazonaws.com","Operations":["Decrypt"]}`
	someUser   = "arn:aws:iam::111122223333:user/alice"
)

// decisions has every condition key of KMS that applies to what is built.
//
// Source: KMS Developer Guide, "AWS KMS condition keys".
func decisions() []decided {
	const encrypt = `{"KeyId":"%k","Plaintext":"aGk="}`
	return []decided{
		{"kms:CallerAccount", home, "Encrypt", encrypt, "", ""},
		{"kms:ViaService", "mq.us-east-1.amazonaws.com", "Encrypt", encrypt, encrypt,
			"root via mq"},
		{"kms:KeySpec", symmetric, "DescribeKey", `{"KeyId":"%k"}`, "", ""},
		{"kms:CustomerMasterKeySpec", symmetric, "DescribeKey", `{"KeyId":"%k"}`, "", ""},
		{"kms:KeyUsage", usageEncrypt, "ListGrants", `{"KeyId":"%k"}`, "", ""},
		{"kms:CustomerMasterKeyUsage", usageEncrypt, "ListGrants", `{"KeyId":"%k"}`, "", ""},
		{"kms:KeyOrigin", originKMS, "EnableKey", `{"KeyId":"%k"}`, "", ""},
		{"kms:MultiRegion", "false", "EnableKey", `{"KeyId":"%k"}`, "", ""},
		{"aws:ResourceTag/team", "red", "EnableKey", `{"KeyId":"%k"}`, "", ""},
		{"kms:ResourceAliases", "alias/one", "EnableKey", `{"KeyId":"%k"}`, "", ""},
		{"kms:RequestAlias", "alias/one", "Encrypt", `{"KeyId":"alias/one","Plaintext":"aGk="}`,
			encrypt, ""},
		{"kms:RequestAlias", "alias/one", "DescribeKey",
			`{"KeyId":"arn:aws:kms:us-east-1:111122223333:alias/one"}`, `{"KeyId":"%k"}`, ""},
		{"kms:EncryptionAlgorithm", symmetric, "Encrypt", encrypt, "", ""},
		{"kms:EncryptionContext:a", "1", "Encrypt",
			`{"KeyId":"%k","Plaintext":"aGk=","EncryptionContext":{"a":"1","b":"2"}}`,
			`{"KeyId":"%k","Plaintext":"aGk=","EncryptionContext":{"a":"2"}}`, ""},
		{"kms:EncryptionContext:a", "1", "Decrypt",
			`{"CiphertextBlob":"%c","EncryptionContext":{"a":"1"}}`, "", ""},
		{"kms:EncryptionContext:a", "1", "GenerateDataKey",
			`{"KeyId":"%k","KeySpec":"AES_256","EncryptionContext":{"a":"1"}}`,
			`{"KeyId":"%k","KeySpec":"AES_256"}`, ""},
		{"kms:EncryptionContext:a", "1", "ReEncryptFrom",
			`{"CiphertextBlob":"%c","SourceEncryptionContext":{"a":"1"},"DestinationKeyId":"%r"}`,
			"", ""},
		{"kms:EncryptionContext:a", "1", "ReEncryptTo", `{"CiphertextBlob":"%c",` +
			`"SourceEncryptionContext":{"a":"1"},"DestinationKeyId":"%k",` +
			`"DestinationEncryptionContext":{"a":"1"}}`,
			`{"CiphertextBlob":"%c","SourceEncryptionContext":{"a":"1"},"DestinationKeyId":"%k"}`,
			""},
		{"kms:EncryptionContextKeys", "b", "GenerateDataKeyWithoutPlaintext",
			`{"KeyId":"%k","NumberOfBytes":9,"EncryptionContext":{"a":"1","b":"2"}}`,
			`{"KeyId":"%k","NumberOfBytes":9,"EncryptionContext":{"a":"b"}}`, ""},
		{"kms:EncryptionContext:a", "1", "CreateGrant", `{"KeyId":"%k","Operations":["Decrypt"],` +
			`"GranteePrincipal":"mq.amazonaws.com",` +
			`"Constraints":{"EncryptionContextSubset":{"a":"1"}}}`, plainGrant, ""},
		{"kms:ReEncryptOnSameKey", "true", "ReEncryptFrom",
			`{"CiphertextBlob":"%c","SourceEncryptionContext":{"a":"1"},"DestinationKeyId":"%k"}`,
			`{"CiphertextBlob":"%c","SourceEncryptionContext":{"a":"1"},"DestinationKeyId":"%r"}`,
			""},
		{"kms:RotationPeriodInDays", "90", "EnableKeyRotation",
			`{"KeyId":"%k","RotationPeriodInDays":90}`, `{"KeyId":"%k"}`, ""},
		{"aws:RequestTag/a", "b", "TagResource",
			`{"KeyId":"%k","Tags":[{"TagKey":"a","TagValue":"b"}]}`,
			`{"KeyId":"%k","Tags":[{"TagKey":"a","TagValue":"c"}]}`, ""},
		{"aws:TagKeys", "x", "UntagResource", `{"KeyId":"%k","TagKeys":["x","y"]}`,
			`{"KeyId":"%k","TagKeys":["y"]}`, ""},
		{"kms:BypassPolicyLockoutSafetyCheck", "true", "PutKeyPolicy",
			`{"KeyId":"%k","Policy":"%p","BypassPolicyLockoutSafetyCheck":true}`,
			`{"KeyId":"%k","Policy":"%p"}`, ""},
		{"kms:ScheduleKeyDeletionPendingWindowInDays", "30", "ScheduleKeyDeletion",
			`{"KeyId":"%k"}`, `{"KeyId":"%k","PendingWindowInDays":7}`, ""},
	}
}

// grantDecisions are those about making and listing grants.
func grantDecisions() []decided {
	return []decided{
		{"kms:GrantOperations", "Encrypt", "CreateGrant", `{"KeyId":"%k",` +
			`"GranteePrincipal":"mq.amazonaws.com","Operations":["Decrypt","Encrypt"]}`,
			plainGrant, ""},
		{"kms:GrantIsForAWSResource", "true", "CreateGrant", plainGrant, plainGrant, "root via mq"},
		{"kms:GrantIsForAWSResource", "true", "ListGrants", `{"KeyId":"%k"}`, `{"KeyId":"%k"}`,
			"root via mq"},
		{"kms:GranteePrincipal", someUser, "CreateGrant", `{"KeyId":"%k","GranteePrincipal":"` +
			someUser + `","Operations":["Decrypt"]}`, plainGrant,
			""},
		{"kms:RetiringPrincipal", someUser, "CreateGrant", `{"KeyId":"%k","GranteePrincipal":` +
			`"mq.amazonaws.com","RetiringPrincipal":"` + someUser + `","Operations":["Decrypt"]}`,
			plainGrant, ""},
		{"kms:GranteeServicePrincipal", "mq.amazonaws.com", "CreateGrant", `{"KeyId":"%k",` +
			`"GranteeServicePrincipal":"mq.amazonaws.com","Operations":["Decrypt"]}`, plainGrant,
			""},
		{"kms:RetiringServicePrincipal", "mq.amazonaws.com", "CreateGrant", `{"KeyId":"%k",` +
			`"GranteePrincipal":"mq.amazonaws.com","RetiringServicePrincipal":"mq.amazonaws.com",` +
			`"Operations":["Decrypt"]}`, plainGrant,
			""},
		{"kms:GrantConstraintType", "EncryptionContextEquals", "CreateGrant", `{"KeyId":"%k",` +
			`"GranteePrincipal":"mq.amazonaws.com","Operations":["Decrypt"],` +
			`"Constraints":{"EncryptionContextEquals":{"a":"1"}}}`, plainGrant, ""},
		{"kms:GrantConstraintSourceArn", "arn:aws:sqs:us-east-1:111122223333:q", "CreateGrant",
			`{"KeyId":"%k","GranteeServicePrincipal":"sqs.amazonaws.com",` +
				`"Operations":["Decrypt"],` +
				`"Constraints":{"SourceArn":"arn:aws:sqs:us-east-1:111122223333:q"}}`,
			plainGrant, ""},
	}
}

// TestConditionKeys: a policy that denies an operation where a key has a value
// denies those requests and no others.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, d := range slices.Concat(decisions(), grantDecisions()) {
		name := w.key("root", object{"Tags": []object{{"TagKey": "team", "TagValue": "red"}}})
		other := w.key("root", object{})
		w.must("root", "CreateAlias", object{"AliasName": "alias/one", "TargetKeyId": name}, nil)
		var c struct{ CiphertextBlob string }
		w.must("root", "Encrypt", object{
			"KeyId": name, "Plaintext": "aGk=", "EncryptionContext": object{"a": "1"},
		}, &c)
		w.must("root", "PutKeyPolicy", object{"KeyId": name, "Policy": denying(d)}, nil)
		open, _ := json.Marshal(defaultPolicy(home))
		fill := strings.NewReplacer("%k", name, "%c", c.CiphertextBlob, "%r", other,
			`"%p"`, string(open))
		op := d.op
		if strings.HasPrefix(op, "ReEncrypt") {
			op = "ReEncrypt"
		}
		who := d.who
		if who == "" {
			who = "root"
		}
		label := fmt.Sprintf("%s of %s", d.key, d.op)
		if got := w.do(who, op, fill.Replace(d.with)); !strings.Contains(got, "explicit deny") {
			t.Errorf("%s, with %s: %s", label, d.value, got)
		}
		if d.without != "" {
			got := w.do("root", op, fill.Replace(d.without))
			if !strings.HasPrefix(got, "200 ") {
				t.Errorf("%s, without %s: %s", label, d.value, got)
			}
		}
		w.must("root", "DeleteAlias", object{"AliasName": "alias/one"}, nil)
	}
}

// denying is a key policy with one denial.
func denying(d decided) string {
	return document("p", statement{
		Effect: "Allow", Principal: rootOf(home), Action: "kms:*", Resource: "*",
	}, statement{
		Effect: "Deny", Principal: map[string]string{"AWS": "*"}, Action: "kms:" + d.op,
		Resource: "*",
		Condition: map[string]map[string]string{
			"ForAnyValue:StringEquals": {d.key: d.value},
		},
	})
}

// TestDryRun: every operation that can be tried without effect says so, after all
// that it would refuse, and has none.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kind := kinds[0]
	name := w.key("root", object{})
	tried := 0
	for i, row := range operations() {
		op, _ := api.API.Op(row.op)
		if !reflect.ValueOf(op.In()).Elem().FieldByName("DryRun").IsValid() {
			continue
		}
		tried++
		in := w.fill(row.in, name, kind, fmt.Sprintf("alias/dry-%d", i))
		in = strings.TrimSuffix(in, "}") + `,"DryRun":true}`
		before := w.tables()
		w.fences.take()
		want := "400 DryRunOperationException: The request would have succeeded, but the DryRun " +
			"option is set."
		if got := w.do("root", row.op, in); got != want {
			t.Errorf("%s: %s", row.op, got)
		}
		if after := w.tables(); !reflect.DeepEqual(after, before) || len(w.fences.take()) > 0 {
			t.Errorf("%s left %v, before %v", row.op, after, before)
		}
		if got := w.do("alice", row.op, in); !strings.HasPrefix(got, "400 AccessDenied") {
			t.Errorf("%s, not allowed: %s", row.op, got)
		}
		w.setState(name, stateDisabled)
		if got := w.do("root", row.op, in); row.when == enabledOnly &&
			got != "400 DisabledException: "+name+" is disabled." {
			t.Errorf("%s, disabled: %s", row.op, got)
		}
		w.clean(name)
	}
	if tried != 8 {
		t.Errorf("%d operations", tried)
	}
}
