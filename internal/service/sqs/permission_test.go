package sqs

import (
	"fmt"
	"strings"
	"testing"
)

// TestPermissions: statements come and go by their labels, let those in whom they name,
// and leave what others wrote as it was.
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	const arn = "arn:aws:sqs:us-east-1:" + home + ":orders"
	in := func(label string, accounts, actions []string) object {
		return object{
			"QueueUrl": url, "Label": label, "AWSAccountIds": accounts, "Actions": actions,
		}
	}
	send := object{"QueueUrl": url, "MessageBody": "x"}
	if _, failure := w.try("OTHER", "SendMessage", send); failure == "" {
		t.Error("another account sent before it was allowed")
	}
	w.do("AddPermission", in("one", []string{abroad}, []string{"SendMessage"}))
	const root = `"arn:aws:iam::` + abroad + `:root"`
	one := `{"Sid":"one","Effect":"Allow","Principal":{"AWS":` + root + `},` +
		`"Action":"SQS:SendMessage","Resource":"` + arn + `"}`
	want := `{"Version":"2008-10-17","Id":"` + arn + `/SQSDefaultPolicy","Statement":[` + one + `]}`
	if got := w.attribute(url, "Policy"); got != want {
		t.Errorf("policy %s, want %s", got, want)
	}
	if _, failure := w.try("OTHER", "SendMessage", send); failure != "" {
		t.Error(failure)
	}
	w.do("AddPermission", in("two", []string{abroad, home}, []string{"*", "PurgeQueue"}))
	if got := w.attribute(url, "Policy"); !strings.Contains(got, one+`,{"Sid":"two",`) ||
		!strings.Contains(got, `"Action":["SQS:*","SQS:PurgeQueue"]`) {
		t.Errorf("policy %s", got)
	}
	w.do("RemovePermission", object{"QueueUrl": url, "Label": "two"})
	w.do("RemovePermission", object{"QueueUrl": url, "Label": "one"})
	if got := w.attribute(url, "Policy"); got != "" {
		t.Errorf("policy %s", got)
	}
	w.refused("OTHER", "SendMessage", send, "AccessDenied", "")
}

// TestPermissionBesidePolicy: a permission goes into the policy that is there.
func TestPermissionBesidePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const own = `{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*",` +
		`"Condition":{"Bool":{"aws:SecureTransport":"false"}}}`
	for _, statement := range []string{own, "[" + own + "]"} {
		url := w.create("orders", object{
			"Policy": `{ "Version": "2012-10-17", "Statement": ` + statement + ` }`})
		in := object{"QueueUrl": url, "Label": "more", "AWSAccountIds": []string{abroad},
			"Actions": []string{"SendMessage"}}
		w.do("AddPermission", in)
		got := w.attribute(url, "Policy")
		if !strings.HasPrefix(got, `{"Version":"2012-10-17","Statement":[`+own+`,{"Sid":"more"`) {
			t.Errorf("policy %s", got)
		}
		for i := range maxStatements - 2 {
			in["Label"] = fmt.Sprint("more", i)
			w.do("AddPermission", in)
		}
		in["Label"] = "last"
		w.refused("ROOT", "AddPermission", in, "OverLimit", "21 statements were found")
		w.do("DeleteQueue", object{"QueueUrl": url})
	}
}
