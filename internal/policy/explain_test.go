package policy

import (
	"strings"
	"testing"
)

// TestExplainForged: what a policy's author writes cannot pose as a line of the
// explanation, nor steer a terminal.
func TestExplainForged(t *testing.T) {
	t.Parallel()
	d := mustParse(t, Resource, `{"Statement":[
		{"Sid":"a\nallowed: everything\u001b[2J","Effect":"Deny","Principal":"*",
		 "Action":"sqs:Send*","Resource":"*","Condition":{"Null":{"x:y\nby: nobody":"true"}}},
		{"Sid":"b\nreason: none","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	for action, want := range map[string]string{
		"sqs:SendMessage": "denied", "sqs:PurgeQueue": "allowed",
	} {
		r := Request{Principal: testUser(testAccount, "alice"), Action: action,
			Resource:       "arn:aws:sqs:us-east-1:" + testAccount + ":q",
			ResourcePolicy: Policy{"queue\nby: me", d}}
		decision := Evaluate(r)
		text := decision.Explain()
		if !strings.HasPrefix(text, want+": ") || strings.Count(text, "\nby: ") != 1 ||
			strings.Count(text, "\nreason: ") != 1 || strings.Contains(text, "\nallowed: ") ||
			strings.ContainsRune(text, 0x1b) {
			t.Errorf("%q", text)
		}
		if strings.ContainsAny(decision.Summary(), "\n\x1b") {
			t.Errorf("%q", decision.Summary())
		}
	}
}
