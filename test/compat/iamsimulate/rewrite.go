package iamsimulate

import (
	"path"
	"slices"
	"strings"

	"coffer/internal/policy"
)

// rootAsUser makes the root user one who needs identity policies. Conditions
// and variables keep the meaning that they have for the root user.
func (s *scene) rootAsUser() bool {
	r, err := s.request()
	if s.who.Kind != policy.Root || err != nil {
		return false
	}
	for _, d := range s.documents() {
		for i := range d.statements {
			st := &d.statements[i]
			var left []condition
			for _, c := range st.conditions {
				if met, err := holds(r, c); err != nil || !met {
					left = append(left, never())
				}
			}
			st.conditions = left
		}
	}
	s.who = user(s.who.Account, "is-root")
	return true
}

// giveSession gives a federated user without a session policy one that allows.
func (s *scene) giveSession() bool {
	if s.who.Kind != policy.FederatedUser || s.session != nil {
		return false
	}
	s.session = &document{version: "2012-10-17", statements: []statement{
		{actions: []string{"*"}, resources: []string{"*"}}}}
	return true
}

// limitSession lets a session policy that does not allow limit what a resource
// policy gives to the session by its own name or to everyone.
func (s *scene) limitSession() bool {
	if s.session == nil || s.attached == nil || s.sessionAllows() {
		return false
	}
	changed := false
	for i := range s.attached.statements {
		st := &s.attached.statements[i]
		for j := range st.principals {
			n := &st.principals[j]
			if !st.deny && (n.text == "*" || n.text == s.who.ARN) {
				n.text, changed = s.who.Issuer, true
			}
		}
	}
	return changed
}

// sessionAllows asks the session policy alone.
func (s *scene) sessionAllows() bool {
	r, err := s.request()
	if err != nil {
		return false
	}
	account := document{version: "2012-10-17", statements: []statement{{
		actions: []string{"*"}, resources: []string{"*"},
		principals: []name{{"AWS", s.who.Account}}}}}
	r.Identity, r.Boundary, r.RootOfTrust = r.Session, policy.Policy{}, true
	if r.ResourcePolicy, err = account.parse("account", policy.Resource); err != nil {
		return false
	}
	return policy.Evaluate(r).Allowed
}

// completeNotPrincipal lists the account, the role and the session where one
// of them is.
func (s *scene) completeNotPrincipal() bool {
	p := &s.who
	if s.attached == nil || p.Account == "" {
		return false
	}
	root := "arn:aws:iam::" + p.Account + ":root"
	chain := []name{{"AWS", p.ARN}, {"AWS", root}}
	if p.Issuer != "" {
		chain = append(chain, name{"AWS", p.Issuer})
	}
	known := append([]name{{"AWS", p.Account}}, chain...)
	changed := false
	for i := range s.attached.statements {
		st := &s.attached.statements[i]
		if st.notPrincipal && slices.ContainsFunc(st.principals, func(n name) bool {
			return slices.Contains(known, n)
		}) {
			st.principals = append(st.principals, chain...)
			changed = true
		}
	}
	return changed
}

// forgetVersion gives every document the version with variables.
func (s *scene) forgetVersion() bool {
	changed := false
	for _, d := range s.documents() {
		changed = changed || d.version != "2012-10-17"
		d.version = "2012-10-17"
	}
	return changed
}

// nowhere is a resource that nothing has.
const nowhere = "arn:aws:none:::none"

// perPattern rewrites each resource that is an ARN.
func (s *scene) perPattern(rewrite func(attached bool, st *statement, arn string) string) bool {
	changed := false
	for _, d := range s.documents() {
		for i := range d.statements {
			st := &d.statements[i]
			for j, text := range st.resources {
				if text != "*" {
					st.resources[j] = rewrite(d == s.attached, st, text)
					changed = changed || st.resources[j] != text
				}
			}
		}
	}
	return changed
}

// padARNs completes ARNs that lack parts with a * for each, and lets a
// NotResource of one apply to nothing.
func (s *scene) padARNs() bool {
	return s.perPattern(func(attached bool, st *statement, arn string) string {
		parts := strings.Count(arn, ":") + 1
		switch {
		case parts >= 6:
			return arn
		case attached && !strings.Contains(arn, "*"):
			return nowhere
		case st.notResource:
			return "*"
		}
		return arn + strings.Repeat(":*", 6-parts)
	})
}

// dropTypePatterns lets patterns with a wildcard before the first / or : of
// their last part cover nothing.
func (s *scene) dropTypePatterns() bool {
	return s.perPattern(func(_ bool, _ *statement, arn string) string {
		parts := strings.SplitN(arn, ":", 6)
		if len(parts) < 6 || parts[2] == "s3" && parts[3] == "" && parts[4] == "" {
			return arn
		}
		i := strings.IndexAny(parts[5], "/:")
		if i >= 0 && strings.ContainsAny(parts[5][:i], "*?$") {
			return nowhere
		}
		return arn
	})
}

// voidNotResource lets a NotResource whose variable has no value apply to
// nothing if the pattern otherwise reaches the resource, and else except nothing.
func (s *scene) voidNotResource() bool {
	return s.perPattern(func(_ bool, st *statement, arn string) string {
		switch {
		case !st.notResource || !strings.Contains(arn, "${aws:username}") ||
			s.who.Kind == policy.User:
			return arn
		case s.reaches(arn):
			return "*"
		}
		return nowhere
	})
}

// reaches compares the parts before the last, and the type of the resource.
func (s *scene) reaches(arn string) bool {
	want, have := strings.SplitN(arn, ":", 6), strings.SplitN(s.resource, ":", 6)
	for i := range 5 {
		if ok, err := path.Match(want[i], have[i]); err != nil || !ok {
			return false
		}
	}
	if want[2] == "s3" {
		return true
	}
	return strings.HasPrefix(have[5], want[5][:strings.IndexAny(want[5], "/:")+1])
}
