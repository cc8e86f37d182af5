package policy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// documented reads testdata/aws/documented.txt, in which a line is one of
//
//	page URL                       where the following cases are documented
//	NAME identity|resource|trust {…}       a policy; lines that begin with a space go on
//	NAME grant {…}                 a grant, by the fields of Grant
//	allow|deny|implicit TITLE; WHO; ACTION; RESOURCE; FIELD VALUE; …
//	met|unmet CONDITION; KEY=VALUE, …; …
//
// A deny is one by a statement. WHO is a user, root, ROLE/SESSION, USER>SESSION
// of GetFederationToken, each in the first account unless @B follows, a service
// principal, anonymous, or idp NAME. Fields are identity, boundary, session,
// resource, key, trust and grant with names of policies, owner with an account,
// context with KEY=VALUE, … and pairs with those of an encryption context.
type documented struct {
	t         *testing.T
	page      string
	documents map[string]*Document
	grants    map[string]Grant
	cases     int
}

// TestDocumented runs what AWS's documentation says a policy does (KMS-20,
// IAM-01, GRT-22, GRT-23, GRT-24). There is no way to rewrite its verdicts.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/aws/documented.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := documented{t: t, documents: map[string]*Document{}, grants: map[string]Grant{}}
	whole := strings.NewReplacer("\n  ", " ", "\n\t", " ").Replace(string(text))
	for _, cases := range []bool{false, true} {
		for line := range strings.Lines(whole) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				d.line(line, cases)
			}
		}
	}
	if d.cases < 200 {
		t.Errorf("%d cases", d.cases)
	}
	t.Logf("%d cases", d.cases)
}

// line reads one: a definition, or, with cases, anything else.
func (d *documented) line(line string, cases bool) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "page":
		d.page = rest
	case "allow", "deny", "implicit":
		if cases {
			d.cases++
			d.decide(word, strings.Split(rest, "; "))
		}
	case "met", "unmet":
		if cases {
			d.cases++
			d.condition(word == "met", strings.Split(rest, "; "))
		}
	default:
		if !cases {
			d.define(word, rest)
		}
	}
}

func (d *documented) define(name, rest string) {
	kind, text, _ := strings.Cut(rest, " ")
	uses := map[string]Use{"identity": Identity, "resource": Resource, "trust": Trust}
	use, isPolicy := uses[kind]
	if !isPolicy && kind != "grant" {
		d.t.Fatalf("unknown line %s %s", name, rest)
	}
	if kind == "grant" {
		g := Grant{ID: name}
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			d.t.Fatalf("grant %s: %v", name, err)
		}
		d.grants[name] = g
		return
	}
	if strings.HasPrefix(text, "[") {
		text = `{"Version":"2012-10-17","Statement":` + text + `}`
	}
	p, err := Parse([]byte(text), use)
	if err != nil {
		d.t.Fatalf("policy %s: %v: %s", name, err, text)
	}
	d.documents[name] = p
}

// decide runs a case with a request.
func (d *documented) decide(want string, f []string) {
	r := Request{Principal: d.who(f[1]), Action: f[2], Resource: f[3],
		Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if parts := splitARN(f[3]).parts; !isAccount(parts[4]) {
		r.ResourceAccount = "111122223333"
	}
	for _, field := range f[4:] {
		key, value, _ := strings.Cut(field, " ")
		d.field(&r, key, value)
	}
	decision := Evaluate(r)
	got := "implicit"
	switch {
	case decision.Allowed:
		got = "allow"
	case decision.ExplicitDeny():
		got = "deny"
	case decision.Reason == DeniedRequest:
		got = "incomplete"
	}
	if got != want {
		d.t.Errorf("%s\n%s: want %s\n%s", d.page, f[0], want, decision.Explain())
	}
}

func (d *documented) field(r *Request, key, value string) {
	switch key {
	case "owner":
		r.ResourceAccount = value
	case "identity":
		r.Identity = d.policies(value)
	case "boundary":
		r.Boundary = d.policies(value)[0]
	case "session":
		r.Session = d.policies(value)
	case "resource":
		r.ResourcePolicy = d.policies(value)[0]
	case "key", "trust":
		r.ResourcePolicy, r.RootOfTrust = d.policies(value)[0], true
	case "grant":
		r.Grants = append(r.Grants, d.grants[value])
	case "new":
		g := d.grants[value]
		r.NewGrant = &g
	case "only":
		r.OnlyGrant = value
	case "context":
		r.Context = contextOf(value)
	case "pairs":
		r.EncryptionContext = pairs(strings.Split(value, ", "))
	default:
		d.t.Fatalf("unknown field %q", key)
	}
}

func (d *documented) policies(names string) []Policy {
	var list []Policy
	for name := range strings.SplitSeq(names, ",") {
		if d.documents[name] == nil {
			d.t.Fatalf("no policy %q", name)
		}
		list = append(list, Policy{name, d.documents[name]})
	}
	return list
}

func contextOf(list string) Context {
	var c Context
	for pair := range strings.SplitSeq(list, ", ") {
		key, value, _ := strings.Cut(pair, "=")
		c.Add(key, value)
	}
	return c
}

func (d *documented) who(name string) Principal {
	if provider, ok := strings.CutPrefix(name, "idp "); ok {
		return Principal{Kind: Federated, Provider: provider}
	}
	account := "111122223333"
	if rest, ok := strings.CutSuffix(name, "@B"); ok {
		name, account = rest, "444455556666"
	}
	role, session, isRole := strings.Cut(name, "/")
	user, federated, isFederated := strings.Cut(name, ">")
	switch {
	case name == "root":
		return RootPrincipal(account)
	case name == "anonymous":
		return Principal{Kind: Anonymous}
	case isRole:
		return testSession(account, role, session)
	case isFederated:
		return principal(d.t, []string{"federated-user", account, user, federated})
	case strings.Contains(name, ".amazonaws.com"):
		return ServicePrincipal(name)
	}
	return testUser(account, name)
}

// condition runs a case with a condition only.
func (d *documented) condition(want bool, f []string) {
	doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
		"Condition":` + f[0] + `}}`
	p, err := Parse([]byte(doc), Identity)
	if err != nil {
		d.t.Fatalf("%s: %v", f[0], err)
	}
	r := Request{Principal: testUser("111122223333", "alice"), Action: "a:B", Resource: "*",
		Identity: []Policy{{"p", p}}, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if len(f) > 1 {
		r.Context = contextOf(f[1])
	}
	if got := Evaluate(r).Allowed; got != want {
		d.t.Errorf("%s\n%s with %q: %v", d.page, f[0], f[1:], got)
	}
}
