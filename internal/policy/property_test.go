package policy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	testKey     = "arn:aws:kms:us-east-1:111122223333:key/1"
	testAccount = "111122223333"
)

// stmt is a statement of a small vocabulary, from which both a document and
// the answer of a second evaluator are made.
type stmt struct {
	deny             bool
	who              string // resource policies only
	action, resource string
	condition        string // "", or the value asked of the context pair "a"
}

// world is a request with everything that decides it.
type world struct {
	who                Principal
	action             string
	pair               string // value of the context pair "a", "" for none
	identity, resource []stmt
	boundary, session  []stmt
	trust              bool
	grants             []Grant
	only               string
}

func drawStmt(t *rapid.T, who bool) stmt {
	s := stmt{
		deny: rapid.IntRange(0, 3).Draw(t, "deny") == 0,
		action: rapid.SampledFrom([]string{"*", "kms:*", "KMS:decrypt", "kms:De?rypt",
			"kms:Encrypt"}).Draw(t, "a"),
		resource: rapid.SampledFrom([]string{"*", testKey, "arn:aws:kms:*:111122223333:key/*",
			"arn:aws:kms:us-east-1:111122223333:key/2"}).Draw(t, "r"),
		condition: rapid.SampledFrom([]string{"", "", "1", "2"}).Draw(t, "c"),
	}
	if who {
		s.who = rapid.SampledFrom([]string{"*", "111122223333", "arn:aws:iam::444455556666:root",
			"arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/app",
			"arn:aws:sts::111122223333:assumed-role/app/one", "mq.amazonaws.com"}).Draw(t, "who")
	}
	return s
}

func drawList(t *rapid.T, who bool, most int, name string) []stmt {
	n := rapid.IntRange(0, most).Draw(t, name)
	list := make([]stmt, n)
	for i := range list {
		list[i] = drawStmt(t, who)
	}
	return list
}

func drawWorld(t *rapid.T) world {
	w := world{
		who: rapid.SampledFrom([]Principal{
			RootPrincipal(testAccount), testUser(testAccount, "alice"),
			testSession(testAccount, "app", "one"), testUser("444455556666", "alice"),
			RootPrincipal("444455556666"), ServicePrincipal("mq.amazonaws.com"),
		}).Draw(t, "principal"),
		action: rapid.SampledFrom([]string{
			"kms:Decrypt", "kms:Encrypt", "kms:ListGrants",
		}).Draw(t, "action"),
		pair:     rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "pair"),
		resource: drawList(t, true, 3, "resource"),
		trust:    rapid.Bool().Draw(t, "trust"),
	}
	if w.who.Kind != Service {
		w.identity = drawList(t, false, 3, "identity")
		w.boundary = drawList(t, false, 1, "boundary")
		w.session = drawList(t, false, 2, "session")
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "grants") {
		w.grants = append(w.grants, drawGrant(t, []string{"g1", "g2"}[i]))
	}
	if rapid.IntRange(0, 3).Draw(t, "named") == 0 {
		w.only = rapid.SampledFrom([]string{"g1", "g2"}).Draw(t, "only")
	}
	return w
}

func drawGrant(t *rapid.T, id string) Grant {
	g := Grant{ID: id, Operations: []string{"Decrypt"}}
	g.Grantee = rapid.SampledFrom([]string{
		"mq.amazonaws.com", "arn:aws:iam::111122223333:user/alice",
		"arn:aws:iam::111122223333:role/app", "arn:aws:iam::444455556666:root",
	}).Draw(t, "grantee")
	if rapid.Bool().Draw(t, "constrained") {
		g.EncryptionContextSubset = map[string]string{"a": "1"}
	}
	return g
}

// document renders statements; nil for none.
func document(t *rapid.T, list []stmt, use Use) *Document {
	if len(list) == 0 {
		return nil
	}
	var out []map[string]any
	for _, s := range list {
		m := map[string]any{"Effect": "Allow", "Action": s.action, "Resource": s.resource}
		if s.deny {
			m["Effect"] = "Deny"
		}
		switch {
		case s.who == "mq.amazonaws.com":
			m["Principal"] = map[string]any{"Service": s.who}
		case s.who != "":
			m["Principal"] = map[string]any{"AWS": []string{s.who}}
		}
		if s.condition != "" {
			m["Condition"] = map[string]any{
				"StringEquals": map[string]any{"kms:EncryptionContext:a": s.condition}}
		}
		out = append(out, m)
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": out})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(text, use)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func (w *world) request(t *rapid.T) Request {
	r := Request{Principal: w.who, Action: w.action, Resource: testKey, RootOfTrust: w.trust,
		Grants: w.grants, OnlyGrant: w.only}
	if w.pair != "" {
		r.EncryptionContext = map[string]string{"a": w.pair}
	}
	r.ResourcePolicy.Document = document(t, w.resource, Resource)
	r.Boundary.Document = document(t, w.boundary, Identity)
	if d := document(t, w.identity, Identity); d != nil {
		r.Identity = []Policy{{"i", d}}
	}
	if d := document(t, w.session, Identity); d != nil {
		r.Session = []Policy{{"s", d}}
	}
	return r
}

// says reports whether a statement is about the request, its principal aside.
func (w *world) says(s stmt) bool {
	quote := strings.NewReplacer(`\*`, ".*", `\?`, ".")
	action := regexp.MustCompile("(?i)^" + quote.Replace(regexp.QuoteMeta(s.action)) + "$")
	resource := regexp.MustCompile("^" + quote.Replace(regexp.QuoteMeta(s.resource)) + "$")
	return action.MatchString(w.action) && resource.MatchString(testKey) &&
		(s.condition == "" || s.condition == w.pair)
}

func (w *world) any(list []stmt, deny bool, names ...string) bool {
	return slices.ContainsFunc(list, func(s stmt) bool {
		return s.deny == deny && w.says(s) && (s.who == "" || slices.Contains(names, s.who))
	})
}

// expect is the second evaluator: the rules as formulas over whole policies.
func (w *world) expect() bool {
	p := w.who
	root := "arn:aws:iam::" + p.Account + ":root"
	own := []string{"*", p.ARN, p.Service}
	account := []string{p.Account, root}
	if p.Kind == Root {
		own = append(own, p.Account)
	}
	all := append(append([]string{p.Issuer}, own...), account...)
	if w.any(w.identity, true) || w.any(w.boundary, true) || w.any(w.session, true) ||
		w.any(w.resource, true, all...) {
		return false
	}
	limits := (len(w.boundary) == 0 || p.Kind == Root || w.any(w.boundary, false)) &&
		(len(w.session) == 0 || w.any(w.session, false))
	identity := limits && (p.Kind == Root || w.any(w.identity, false)) && p.Kind != Service
	if p.Kind == Service {
		return w.granted(identity, limits) || w.only == "" && w.any(w.resource, false, own...)
	}
	byOwn := w.any(w.resource, false, own...)
	byRole := w.any(w.resource, false, p.Issuer) && p.Issuer != "" && limits
	let := w.any(w.resource, false, all...) && identity
	policies := let
	if p.Account == testAccount {
		policies = byOwn || byRole || let || !w.trust && identity
	}
	return w.granted(identity, limits) || w.only == "" && policies
}

func (w *world) granted(identity, limits bool) bool {
	return slices.ContainsFunc(w.grants, func(g Grant) bool {
		if w.only != "" && g.ID != w.only || w.action != "kms:Decrypt" ||
			g.EncryptionContextSubset != nil && w.pair != "1" {
			return false
		}
		switch g.Grantee {
		case w.who.Service, w.who.ARN:
			return true
		case w.who.Issuer:
			return limits
		}
		return g.Grantee == "arn:aws:iam::"+w.who.Account+":root" && identity
	})
}

// TestAgainstFormulas compares Evaluate with the second evaluator.
func TestAgainstFormulas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		d := Evaluate(w.request(t))
		if d.Allowed != w.expect() {
			t.Fatalf("%+v\n%s", w, d.Explain())
		}
		if d.Explain() != Evaluate(w.request(t)).Explain() {
			t.Fatal("the explanation is not stable")
		}
	})
}

// TestDenyNeverAllows_IAM01: one more Deny, anywhere, admits nobody.
func TestDenyNeverAllows_IAM01(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before := Evaluate(w.request(t))
		more := w
		s := drawStmt(t, true)
		s.deny = true
		plain := s
		plain.who = ""
		switch rapid.IntRange(0, 3).Draw(t, "place") {
		case 0:
			more.resource = append(slices.Clip(w.resource), s)
		case 1:
			more.identity = append(slices.Clip(w.identity), plain)
		case 2:
			more.boundary = append(slices.Clip(w.boundary), plain)
		case 3:
			more.session = append(slices.Clip(w.session), plain)
		}
		if after := Evaluate(more.request(t)); after.Allowed && !before.Allowed {
			t.Fatalf("%+v\n%s", more, after.Explain())
		}
	})
}

// TestAllowNeverDenies: one more Allow in a policy that is there, or one more
// grant, shuts nobody out.
func TestAllowNeverDenies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before := Evaluate(w.request(t))
		more := w
		s := drawStmt(t, true)
		s.deny = false
		plain := s
		plain.who = ""
		switch rapid.IntRange(0, 4).Draw(t, "place") {
		case 0:
			more.resource = append(slices.Clip(w.resource), s)
		case 1:
			more.identity = append(slices.Clip(w.identity), plain)
		case 2:
			if len(w.boundary) > 0 {
				more.boundary = append(slices.Clip(w.boundary), plain)
			}
		case 3:
			if len(w.session) > 0 {
				more.session = append(slices.Clip(w.session), plain)
			}
		case 4:
			more.grants = append(slices.Clip(w.grants), drawGrant(t, "g3"))
		}
		if after := Evaluate(more.request(t)); before.Allowed && !after.Allowed {
			t.Fatalf("%+v\n%s", more, after.Explain())
		}
	})
}

// TestGrantNeverBeatsDeny_KMS20: with a Deny that applies no grant helps, and
// a request in the name of a grant is allowed by that grant only.
func TestGrantNeverBeatsDeny_KMS20(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		d := Evaluate(w.request(t))
		if w.only != "" && d.Allowed && d.By != (Source{Kind: FromGrant, Name: w.only}) {
			t.Fatalf("%+v\n%s", w, d.Explain())
		}
		if !d.ExplicitDeny() {
			return
		}
		w.grants = append(slices.Clip(w.grants), Grant{ID: "g9", Grantee: w.who.String(),
			Operations: []string{"Decrypt", "Encrypt", "ListGrants"}})
		if d := Evaluate(w.request(t)); d.Allowed {
			t.Fatalf("%+v\n%s", w, d.Explain())
		}
	})
}
