package gateway

import (
	"context"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// TestCallerIdentities: who an in-process call is from, as events show it
// (GRT-08, GRT-09).
func TestCallerIdentities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := put("Nest", `{"Steps":["behalf Put a","mq Put? b"]}`)
	a.header["User-Agent"] = "cli/2"
	if r := w.do(a); r.Code != 200 {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	list := w.events(home)
	if len(list) != 3 {
		t.Fatalf("%d events", len(list))
	}
	behalf, alone, outer := list[0], list[1], list[2]
	for _, e := range []struct{ what, got, want string }{
		{"behalf type", behalf.UserIdentity.Type, "IAMUser"},
		{"behalf invokedBy", behalf.UserIdentity.InvokedBy, "behalf.amazonaws.com"},
		{"behalf source", behalf.SourceIPAddress, outer.SourceIPAddress},
		{"behalf agent", behalf.UserAgent, "cli/2"},
		{"behalf shared", behalf.SharedEventID, ""},
		{"alone type", alone.UserIdentity.Type, "AWSService"},
		{"alone invokedBy", alone.UserIdentity.InvokedBy, "mq.amazonaws.com"},
		{"alone source", alone.SourceIPAddress, "mq.amazonaws.com"},
		{"alone agent", alone.UserAgent, "mq.amazonaws.com"},
		{"alone account", alone.RecipientAccountID, home},
		{"alone code", alone.ErrorCode, "AccessDeniedException"},
		{"outer invokedBy", outer.UserIdentity.InvokedBy, ""},
		{"outer TLS", outer.TLSDetails.ClientProvidedHostHeader, "localhost"},
	} {
		if e.got != e.want {
			t.Errorf("%s: %q, want %q", e.what, e.got, e.want)
		}
	}
	if alone.SharedEventID == "" || behalf.TLSDetails != nil {
		t.Errorf("shared %q, TLS %v", alone.SharedEventID, behalf.TLSDetails)
	}
	if want := "because no resource-based policy"; !strings.Contains(alone.ErrorMessage, want) {
		t.Errorf("%q lacks %q", alone.ErrorMessage, want)
	}
	ids := map[string]bool{}
	for _, e := range list {
		ids[e.EventID], ids[e.RequestID] = true, true
	}
	if len(ids) != 6 {
		t.Errorf("%d different ids", len(ids))
	}
}

// TestCallerFromOutside: calls of the process itself, without a call around.
func TestCallerFromOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, api := context.Background(), w.gw.services[0].API
	operator := &Caller{Gateway: w.gw, Service: "coffer", Account: home, Region: here,
		Identity: &Identity{Principal: policy.RootPrincipal(home),
			Event: audit.Identity{Type: "Root", AccountID: home}},
		EventSource: "shown.amazonaws.com", UserAgent: "agent", Unshown: []string{"note"}}
	out := &answer{}
	err := operator.Call(ctx, api, "Put", &putInput{Name: "a", Note: "n"}, out)
	if err != nil || out.Secret != "shown once" || !w.stored("a") {
		t.Fatalf("%v %+v", err, out)
	}
	e := w.events(home)[0]
	if e.EventSource != "shown.amazonaws.com" || e.UserAgent != "agent" ||
		e.UserIdentity.InvokedBy != "coffer" || e.UserIdentity.Type != "Root" ||
		len(e.RequestParameters) != 1 {
		t.Errorf("%+v", e)
	}
	for name, c := range map[string]struct {
		api  *wire.API
		op   string
		in   any
		out  any
		who  *Caller
		text string
	}{
		"on behalf": {api, "Put", &putInput{Name: "b"}, out,
			&Caller{Gateway: w.gw, Service: "x", OnBehalf: true}, "on behalf of no one"},
		"service":   {&wire.API{Name: "fly"}, "Put", &putInput{}, out, operator, "no service fly"},
		"operation": {api, "Fly", &putInput{}, out, operator, "no such operation"},
		"not valid": {api, "Put", &putInput{Name: "B"}, out, operator, "1 validation error"},
		"input":     {api, "Put", &answer{}, out, operator, "do not fit"},
		"output":    {api, "Put", &putInput{Name: "c"}, &putInput{}, operator, "do not fit"},
		"no output": {api, "Put", &putInput{Name: "c"}, nil, operator, "do not fit"},
	} {
		err := c.who.Call(ctx, c.api, c.op, c.in, c.out)
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.stored("b") || w.stored("c") {
		t.Error("a call that was refused has effects")
	}
}

// TestCallWithoutUnit: a call that a service makes before its unit of work
// stands for itself, so that its event cannot be lost.
func TestCallWithoutUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outer := &Call{Account: home, Region: here, trail: newTrail(),
		identity: w.people["ROOT"], Principal: w.people["ROOT"].Principal}
	ctx := context.WithValue(context.Background(), callKey{}, outer)
	c := &Caller{Gateway: w.gw, Service: "x", OnBehalf: true}
	err := c.Call(ctx, w.gw.services[0].API, "Get", &getInput{Name: "a"}, &answer{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.trail(); got != "Get ok" || len(outer.trail.events) != 0 {
		t.Errorf("on record: %q, and %d in the outer call", got, len(outer.trail.events))
	}
}

// TestIsolation: another account's root may nothing here, and sees nothing.
func TestIsolation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := put("Put", `{"Name":"a"}`)
	a.who = "OTHER"
	if r := w.do(a); r.Code != 400 || code(t, r) != "AccessDeniedException" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if w.trail() != "" || len(w.events(abroad)) != 1 {
		t.Errorf("home: %q, abroad: %d", w.trail(), len(w.events(abroad)))
	}
}

// TestConditions: the condition keys that a request brings with it.
func TestConditions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		condition string
		allowed   bool
	}{
		"Region":         {`"StringEquals":{"aws:RequestedRegion":"` + here + `"}`, true},
		"other Region":   {`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, false},
		"address":        {`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, true},
		"other address":  {`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, false},
		"TLS":            {`"Bool":{"aws:SecureTransport":"true"}`, true},
		"agent":          {`"StringLike":{"aws:UserAgent":"cli/*"}`, true},
		"via a service":  {`"Bool":{"aws:ViaAWSService":"true"}`, false},
		"not via one":    {`"Bool":{"aws:ViaAWSService":"false"}`, true},
		"time":           {`"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, false},
		"posing as":      {`"StringEquals":{"aws:username":"root"}`, false},
		"the right user": {`"StringEquals":{"aws:username":"carol"}`, true},
		"account":        {`"StringEquals":{"aws:PrincipalAccount":"` + home + `"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.people["CAROL"] = person(t, user(home, "carol"), `{"Statement":[{"Effect":"Allow",`+
				`"Action":"toy:Put","Resource":"arn:aws:toy:*:*:thing/a","Condition":{`+
				c.condition+`}}]}`)
			a := put("Put", `{"Name":"a"}`)
			a.who = "CAROL"
			a.header["User-Agent"] = "cli/2"
			if r := w.do(a); (r.Code == 200) != c.allowed {
				t.Errorf("%d %s", r.Code, r.Body)
			}
		})
	}
}

// TestExplicitDeny has AWS's text, and its reason on the event only.
func TestExplicitDeny(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := put("Get", `{"Name":"a"}`)
	a.who = "ALICE"
	r := w.do(a)
	want := "User: arn:aws:iam::" + home + ":user/alice is not authorized to perform: toy:Get on " +
		"resource: arn:aws:toy:" + here + ":" + home +
		":thing/a with an explicit deny in an identity-based policy"
	e := w.events(home)[0]
	if !strings.Contains(r.Body.String(), want) || e.ErrorMessage != want {
		t.Errorf("%s, event %q", r.Body, e.ErrorMessage)
	}
	if s, _ := e.AdditionalEventData["authorization"].(string); !strings.Contains(s, "#2") {
		t.Errorf("why: %q", s)
	}
	if len(e.Resources) != 1 || e.Resources[0].Type != "AWS::Toy::Thing" {
		t.Errorf("resources %v", e.Resources)
	}
}

// TestEveryKindHasACode in every protocol.
func TestEveryKindHasACode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind := fault.Internal; kind <= fault.NotImplemented; kind++ {
		for _, s := range w.gw.services {
			code, status := w.gw.fault(s, fault.New(kind, "text")).Fault()
			if code == "" || status < 400 || status > 503 {
				t.Errorf("%s of %s: %q %d", kind, s.API.Protocol, code, status)
			}
		}
	}
}
