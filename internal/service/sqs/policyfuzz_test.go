package sqs

import (
	"encoding/json"
	"slices"
	"testing"

	"coffer/internal/policy"
)

// FuzzPolicies: what is taken for a RedrivePolicy, a RedriveAllowPolicy or a policy is
// within its bounds, and a policy that is written again has the same statements.
func FuzzPolicies(f *testing.F) {
	for _, text := range []string{
		`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:111122223333:dead","maxReceiveCount":"5"}`,
		`{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:r:111122223333:a"]}`,
		`{"Version":"2012-10-17","Statement":{"Sid":"a","Effect":"Allow","Principal":"*",` +
			`"Action":"sqs:*","Resource":"*"}}`,
		`{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Deny","Principal":"*",` +
			`"Action":"sqs:*","Resource":"*"}]}`, `{}`, `[]`, ``,
	} {
		f.Add(text)
	}
	at := address{realmName{home, here}, "orders"}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parseRedrive(text); err == nil &&
			(r.most < 1 || r.most > maxReceives || !goodName(r.target.name)) {
			t.Errorf("%q is %+v", text, r)
		}
		if a, err := parseAllowed(text); err == nil && (len(a.sources) > maxSources ||
			(a.permission == "byQueue") != (len(a.sources) > 0)) {
			t.Errorf("%q is %+v", text, a)
		}
		document, err := policy.Parse([]byte(text), policy.Resource)
		if err != nil {
			return
		}
		p, err := parsePolicy(at, text)
		if err != nil || len(p.Statement) != document.Statements() {
			t.Fatalf("%q has %d statements, not %d: %v",
				text, len(p.Statement), document.Statements(), err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := policy.Parse(b, policy.Resource)
		if err != nil || again.Statements() != document.Statements() ||
			again.ID() != document.ID() || !slices.Contains([]string{
			again.Version(), ""}, document.Version()) {
			t.Errorf("%q is written again as %s: %v", text, b, err)
		}
	})
}
