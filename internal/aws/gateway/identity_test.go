package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/policy"
)

// TestExpired: the end of a session has its own code in each protocol.
func TestExpired(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"json": "ExpiredTokenException", "rest": "ExpiredTokenException", "form": "ExpiredToken",
	}
	for name, a := range calls() {
		w := newWorld(t)
		r := w.do(a.with(func(a *ask) { a.who = "LATE" }))
		if got := code(t, r); got != want[name] || r.Code != 403 && name != "json" {
			t.Errorf("%s: %d %s", name, r.Code, got)
		}
	}
}

// hook runs once, when the body is read.
type hook struct {
	io.Reader
	run func()
}

func (h *hook) Read(p []byte) (int, error) {
	if h.run != nil {
		h.run()
		h.run = nil
	}
	return h.Reader.Read(p)
}

func (h *hook) Close() error { return nil }

// TestStolenWhileReading: what is taken from the caller while the body travels
// counts for the request.
func TestStolenWhileReading(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"AccessDeniedException": func(w *world) {
			w.people["ALICE"] = person(t, user(home, "alice"), "")
		},
		"UnrecognizedClientException": func(w *world) { delete(w.people, "ALICE") },
	} {
		w := newWorld(t)
		a := put("Put", `{"Name":"a"}`).with(func(a *ask) {
			a.who = "ALICE"
			a.edit = func(r *http.Request) {
				r.Body = &hook{strings.NewReader(`{"Name":"a"}`), func() { change(w) }}
			}
		})
		if got := code(t, w.do(a)); got != name || w.stored("a") {
			t.Errorf("%s, want %s; stored %v", got, name, w.stored("a"))
		}
	}
}

// limited is alice with a session.
func limited(t *testing.T, p policy.Principal, s Session, doc string) *Identity {
	t.Helper()
	id := person(t, p, doc)
	id.Session = &s
	return id
}

func parsed(t *testing.T, doc string) policy.Policy {
	t.Helper()
	d, err := policy.Parse([]byte(doc), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Policy{Name: "p", Document: d}
}

// TestSessionConditions: each key is there exactly when AWS documents it.
func TestSessionConditions(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	alice := user(home, "alice")
	role := policy.Principal{
		Kind: policy.AssumedRole, Account: home, UserID: "AROAX:s",
		ARN:    "arn:aws:sts::" + home + ":assumed-role/r/s",
		Issuer: "arn:aws:iam::" + home + ":role/r",
	}
	plain := Session{Issued: start, Expires: start.Add(time.Hour), SourceIdentity: "ann"}
	proved := plain
	proved.MFA = start
	for _, c := range []struct {
		who       policy.Principal
		session   *Session
		condition string
		allowed   bool
	}{
		{alice, nil, `"Null":{"aws:MultiFactorAuthPresent":"true"}`, true},
		{alice, nil, `"Null":{"aws:TokenIssueTime":"true"}`, true},
		{alice, &plain, `"Bool":{"aws:MultiFactorAuthPresent":"false"}`, true},
		{alice, &plain, `"Null":{"aws:MultiFactorAuthAge":"true"}`, true},
		{alice, &proved, `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, true},
		{alice, &proved, `"NumericEquals":{"aws:MultiFactorAuthAge":"6"}`, true},
		{alice, &proved, `"NumericLessThan":{"aws:MultiFactorAuthAge":"6"}`, false},
		{role, &proved, `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, false},
		{role, &proved, `"Null":{"aws:MultiFactorAuthAge":"true"}`, true},
		{role, &plain, `"StringEquals":{"aws:SourceIdentity":"ann"}`, true},
		{role, &plain, `"DateEquals":{"aws:TokenIssueTime":"2026-01-02T03:04:00Z"}`, true},
		{role, &plain, `"StringEquals":{"aws:PrincipalTag/Team":"blue"}`, true},
		{role, &plain, `"StringEquals":{"aws:PrincipalTag/team":"blue"}`, true},
		{role, &plain, `"StringEquals":{"aws:PrincipalTag/Team":"red"}`, false},
	} {
		w := newWorld(t)
		id := person(t, c.who, `{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"toy:Put","Resource":"*","Condition":{`+c.condition+`}}}`)
		id.Session = c.session
		id.Tags = map[string]string{"Team": "blue"}
		w.people["S"] = id
		r := w.do(put("Put", `{"Name":"a"}`).with(func(a *ask) { a.who = "S" }))
		if (r.Code == 200) != c.allowed {
			t.Errorf("%s: %d", c.condition, r.Code)
		}
	}
}

// TestSessionLimits: the session's policies and the boundary limit what the
// caller's give.
func TestSessionLimits(t *testing.T) {
	t.Parallel()
	const all = `{"Statement":{"Effect":"Allow","Action":"toy:*","Resource":"*"}}`
	const get = `{"Statement":{"Effect":"Allow","Action":"toy:Get","Resource":"*"}}`
	for name, change := range map[string]func(*Identity){
		"no session policy": func(id *Identity) {
			id.Session.Policies = []policy.Policy{parsed(t, get)}
		},
		"no permissions boundary": func(id *Identity) { id.Boundary = parsed(t, get) },
	} {
		w := newWorld(t)
		w.people["S"] = limited(t, user(home, "alice"), Session{}, all)
		if r := w.do(put("Put", `{"Name":"a"}`).with(as("S"))); r.Code != 200 {
			t.Errorf("without: %s", r.Body)
		}
		change(w.people["S"])
		r := w.do(put("Put", `{"Name":"b"}`).with(as("S")))
		if !strings.Contains(r.Body.String(), name) || w.stored("b") {
			t.Errorf("%s: %s", name, r.Body)
		}
		if r := w.do(put("Get", `{"Name":"a"}`).with(as("S"))); r.Code != 200 {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
}

func as(who string) func(*ask) { return func(a *ask) { a.who = who } }

// TestExplanationAcross: the caller's event tells nothing of another account's
// policy; the sealed message does, to its owner.
func TestExplanationAcross(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"Hidden",`+
		`"Effect":"Allow","Principal":"*","Action":"toy:Put","Resource":"*",`+
		`"Condition":{"StringEquals":{"aws:SourceVpc":"x"}}}]}`), policy.Resource)
	if err != nil {
		t.Fatal(err)
	}
	for caller, told := range map[string]bool{home: true, abroad: false} {
		who := person(t, user(caller, "alice"), "")
		call := &Call{Account: caller, Region: here, Principal: who.Principal, identity: who,
			event: &audit.Event{EventTime: w.now}}
		err := w.gw.decide(&Check{Action: "toy:Put", Account: home, RootOfTrust: true,
			Resource: "arn:aws:toy:" + here + ":" + home + ":thing/a",
			Policy:   policy.Policy{Name: "own", Document: doc}}, call)
		text, _ := call.event.AdditionalEventData[authorization].(string)
		if err == nil || strings.Contains(text, "Hidden") != told || text == "" {
			t.Errorf("of %s: %v, %q", caller, err, text)
		}
		plain, err := OpenMessage(w.db, home, call.sealed)
		if err != nil || !strings.Contains(plain, "Hidden") {
			t.Errorf("of %s: %v, %s", caller, err, plain)
		}
	}
}
