package policy

import (
	"slices"
	"testing"
)

// TestPositions: statements are where IAM's simulator says they are. The first
// document and its columns are of the AWS CLI's reference, simulate-custom-policy.
func TestPositions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		doc        string
		start, end Position // of the last statement
	}{
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*",` +
			`"Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":` +
			`"2018-08-16T12:00:00Z"}}}}`, Position{1, 38}, Position{1, 167}},
		{"{\n \"Statement\": [\n  {\"Effect\": \"Allow\", \"Action\": \"dynamodb:*\",\n" +
			"  \"Resource\": \"*\"\n  }\n]}", Position{3, 4}, Position{5, 4}},
		{`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::é"},{` +
			"\n" + `"Effect":"Deny","Action":"*","Resource":"*"}]}`,
			Position{1, 76}, Position{2, 45}},
	} {
		d := mustParse(t, Identity, c.doc)
		if s := d.statements[len(d.statements)-1]; s.start != c.start || s.end != c.end {
			t.Errorf("from %v to %v, want %v and %v", s.start, s.end, c.start, c.end)
		}
	}
}

// TestSimulate: what determines a decision, and what a request lacks.
func TestSimulate(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[
		{"Sid":"a","Effect":"Allow","Action":"s3:Get*",
		 "Resource":"arn:aws:s3:::b/${aws:UserName}/*"},
		{"Sid":"b","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},
		{"Sid":"c","Effect":"Deny","Action":"s3:*","Resource":"*",
		 "Condition":{"Bool":{"aws:SecureTransport":"false"},"Null":{"aws:username":"false"}}},
		{"Sid":"d","Effect":"Allow","Action":"ec2:*","Resource":"*",
		 "Condition":{"StringEquals":{"ec2:Region":"x"}}}]}`)
	r := Request{Principal: testUser(testAccount, "alice"), Action: "s3:GetObject",
		Resource: "arn:aws:s3:::b/alice/x", ResourceAccount: testAccount, Keys: GivenOnly,
		Identity: []Policy{{"p", doc}}}
	s := Simulate(r)
	if !s.Allowed || len(s.Matches) != 1 || s.Matches[0].Statement != "b" ||
		s.Identity != Allow || s.Boundary != ImplicitDeny {
		t.Errorf("without keys: %+v", s)
	}
	if !slices.Equal(s.Missing, []string{"aws:UserName", "aws:SecureTransport"}) {
		t.Errorf("missing %q", s.Missing)
	}
	r.Keys = GivenFirst
	if s := Simulate(r); len(s.Matches) != 2 || !slices.Equal(s.Missing,
		[]string{"aws:SecureTransport"}) {
		t.Errorf("with the user's name: %+v", s)
	}
	r.Context.Add("aws:SecureTransport", "false")
	r.Context.Add("aws:username", "bob")
	if s := Simulate(r); !s.ExplicitDeny() || len(s.Matches) != 1 ||
		s.Matches[0].Statement != "c" || len(s.Missing) != 0 || s.Identity != ExplicitDeny {
		t.Errorf("denied: %+v", s)
	}
	if keys := ContextKeys(doc, doc); !slices.Equal(keys,
		[]string{"aws:UserName", "aws:SecureTransport", "ec2:Region"}) {
		t.Errorf("keys %q", keys)
	}
	r.Keys = Derived
	if s := Simulate(r); len(s.Missing) != 0 {
		t.Errorf("derived: %+v", s)
	}
}
