package policy

import "testing"

// TestIncompletePrincipal: a principal whose fields do not fit its kind is
// denied what everyone is allowed.
func TestIncompletePrincipal(t *testing.T) {
	t.Parallel()
	user, session := testUser(testAccount, "alice"), testSession(testAccount, "app", "one")
	for name, change := range map[string]func() Principal{
		"nobody":        func() Principal { return Principal{} },
		"unknown kind":  func() Principal { p := user; p.Kind = Federated + 1; return p },
		"account":       func() Principal { p := user; p.Account = "1"; return p },
		"other account": func() Principal { p := user; p.Account = "444455556666"; return p },
		"no ARN":        func() Principal { p := user; p.ARN = ""; return p },
		"issuer":        func() Principal { p := user; p.Issuer = session.Issuer; return p },
		"no issuer":     func() Principal { p := session; p.Issuer = ""; return p },
		"no service":    func() Principal { return ServicePrincipal("") },
		"no provider":   func() Principal { return Principal{Kind: Federated} },
	} {
		p := change()
		r := Request{Principal: p, Action: "sqs:SendMessage",
			Resource: "arn:aws:sqs:r:111122223333:q"}
		if allowedIf(t, r, `{"Null":{"test:none":"true"}}`) {
			t.Errorf("%s is allowed", name)
		}
		r.Principal = user
		if !allowedIf(t, r, `{"Null":{"test:none":"true"}}`) {
			t.Fatal("a complete principal is denied")
		}
	}
}

// TestRequestPlaces: documents out of place and an owner that contradicts the
// ARN leave nothing to decide.
func TestRequestPlaces(t *testing.T) {
	t.Parallel()
	identity := mustParse(t, Identity,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	r := Request{Principal: testUser(testAccount, "alice"), Action: "sqs:SendMessage",
		Resource: "arn:aws:sqs:r:111122223333:q", Identity: []Policy{{"p", identity}}}
	if d := Evaluate(r); !d.Allowed {
		t.Fatal(d.Explain())
	}
	wrong := r
	wrong.ResourceAccount = "444455556666"
	if d := Evaluate(wrong); d.Reason != DeniedRequest {
		t.Error(d.Explain())
	}
	wrong = r
	wrong.ResourcePolicy = Policy{"p", identity}
	if d := Evaluate(wrong); d.Reason != DeniedRequest {
		t.Error(d.Explain())
	}
	wrong = r
	wrong.Resource = "bucket"
	if d := Evaluate(wrong); d.Reason != DeniedRequest {
		t.Error(d.Explain())
	}
}
