package coffer

import (
	"strings"
	"testing"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/policy"
)

// of is the client of a principal of any account.
func (w *world) of(p policy.Principal, policies ...policy.Policy) api.Client {
	shown := audit.Identity{Type: "IAMUser", ARN: p.ARN, AccountID: p.Account}
	if p.Kind == policy.Root {
		shown.Type = "Root"
	}
	return api.Client{Caller: &gateway.Caller{
		Gateway: w.gateway, Service: "test", Account: p.Account, Region: "us-east-1",
		Identity: &gateway.Identity{Principal: p, Policies: policies, Event: shown},
	}}
}

func (w *world) lastRequest() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1].RequestID
}

func parsed(t *testing.T, name, statement string) policy.Policy {
	t.Helper()
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":`+statement+`}`),
		policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Policy{Name: name, Document: d}
}

// TestExplainRequest explains a denial for want of an Allow, one by a statement,
// and what let a request through, to those whom it concerns.
func TestExplainRequest(t *testing.T) {
	t.Parallel()
	const other = "444455556666"
	w := newWorld(t, 1)
	operator := w.of(policy.RootPrincipal(account))
	user := func(in string) policy.Principal {
		return policy.Principal{Kind: policy.User, Account: in, Name: "alice",
			ARN: "arn:aws:iam::" + in + ":user/alice", UserID: "AIDAEXAMPLE000000001"}
	}
	reads := parsed(t, "reads", `{"Sid":"r","Effect":"Allow","Action":"coffer:D*","Resource":"*"}`)
	stop := parsed(t, "stop", `{"Sid":"no","Effect":"Deny","Action":"*","Resource":"*"}`)
	for _, c := range []struct {
		name     string
		who      policy.Principal
		policies []policy.Policy
		want     []string
	}{
		{"nothing allows", user(account), nil, []string{"denied: coffer:DescribeStore on *",
			"in an identity policy of arn:aws:iam::111122223333:user/alice",
			`add: {"Effect":"Allow","Action":"coffer:DescribeStore","Resource":"*"}`}},
		{"a statement denies", user(account), []policy.Policy{reads, stop},
			[]string{"by: identity policy stop, statement no", "no grant beats a Deny"}},
		{"a statement allows", user(account), []policy.Policy{reads},
			[]string{"coffer:DescribeStore on *: allowed by identity policy reads, statement r"}},
		{"the root user", policy.RootPrincipal(account), nil, []string{"the root user needs"}},
		{"in another account", user(other), nil, []string{"arn:aws:iam::444455556666:user/alice"}},
	} {
		_, _ = w.of(c.who, c.policies...).DescribeStore(t.Context(), &api.DescribeStoreInput{})
		in := &api.ExplainRequestInput{RequestId: w.lastRequest()}
		if c.who.Account != account {
			in.AccountId = &c.who.Account
		}
		out, err := operator.ExplainRequest(t.Context(), in)
		if err != nil || len(out.Calls) != 1 || out.Calls[0].EventName != "DescribeStore" {
			t.Errorf("%s: %+v, %v", c.name, out, err)
			continue
		}
		for _, want := range c.want {
			if text := out.Calls[0].Authorization; !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", c.name, want, text)
			}
		}
	}
}

// TestExplainNothing: another account learns nothing, and what is not there is
// said to be so.
func TestExplainNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	operator := w.of(policy.RootPrincipal(account))
	if _, err := operator.DescribeStore(t.Context(), &api.DescribeStoreInput{}); err != nil {
		t.Fatal(err)
	}
	in := &api.ExplainRequestInput{RequestId: w.lastRequest()}
	stranger := w.of(policy.RootPrincipal("444455556666"))
	if _, err := stranger.ExplainRequest(t.Context(), in); !is[*api.RequestNotFoundException](err) {
		t.Errorf("a stranger, of its own account: %v", err)
	}
	in.AccountId = new(account)
	if out, err := stranger.ExplainRequest(t.Context(), in); err == nil ||
		!strings.Contains(err.Error(), "not authorized to perform: coffer:ExplainRequest") {
		t.Errorf("a stranger, of another account: %+v, %v", out, err)
	}
	in.RequestId = "nothing"
	if _, err := operator.ExplainRequest(t.Context(), in); !is[*api.RequestNotFoundException](err) {
		t.Errorf("no such request: %v", err)
	}
}
