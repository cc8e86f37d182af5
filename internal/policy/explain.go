package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxNotes bounds the statements and grants that an explanation lists.
const maxNotes = 16

// Explain gives the decision in lines of text: what was asked, the reason,
// what decided, and, of a denial, which statements and grants came near and
// what would allow. It names policies, statements, condition keys and grants,
// but no condition value. The text is stable for equal requests.
func (d Decision) Explain() string {
	var b strings.Builder
	r := &d.request
	verb := "denied"
	if d.Allowed {
		verb = "allowed"
	}
	fmt.Fprintf(&b, "%s: %s on %s for %s\n", verb, r.Action, r.Resource, &r.Principal)
	fmt.Fprintf(&b, "reason: %s\n", d.Reason)
	if d.By.Kind != FromNothing {
		fmt.Fprintf(&b, "by: %s\n", d.By)
	}
	e := evaluation{request: r}
	if d.Allowed || d.Reason == DeniedRequest || d.ExplicitDeny() || !e.prepare() {
		return b.String()
	}
	notes := e.near()
	for _, n := range notes[:min(len(notes), maxNotes)] {
		fmt.Fprintf(&b, "near: %s\n", n)
	}
	if len(notes) > maxNotes {
		fmt.Fprintf(&b, "near: %d more\n", len(notes)-maxNotes)
	}
	for _, w := range e.remedies(d.Reason) {
		fmt.Fprintf(&b, "would allow: %s\n", w)
	}
	return b.String()
}

// near lists what would have allowed but for one thing: statements that cover
// action and resource, and grants for the principal. Of a request in the name
// of a grant it is that grant.
func (e *evaluation) near() []string {
	r := e.request
	var notes []string
	if r.OnlyGrant != "" {
		if g := e.namedGrant(); g != nil && e.action != retireAction {
			notes = append(notes, fmt.Sprintf("grant %s: %s", g.ID, g.hinders(e)))
		}
		return notes
	}
	for i := range r.Identity {
		notes = e.nearIn(notes, &r.Identity[i], FromIdentity)
	}
	notes = e.nearIn(notes, &r.Boundary, FromBoundary)
	for i := range r.Session {
		notes = e.nearIn(notes, &r.Session[i], FromSession)
	}
	notes = e.nearIn(notes, &r.ResourcePolicy, FromResource)
	for i := range r.Grants {
		g := &r.Grants[i]
		if why := g.hinders(e); why != otherGrantee {
			notes = append(notes, fmt.Sprintf("grant %s: %s", g.ID, why))
		}
	}
	return notes
}

func (e *evaluation) nearIn(notes []string, p *Policy, kind SourceKind) []string {
	if p.Document == nil {
		return notes
	}
	for i := range p.Document.statements {
		s := &p.Document.statements[i]
		if s.deny || !s.covers(e) {
			continue
		}
		source := Source{kind, p.Name, s.label}
		switch c := s.unmet(e); {
		case s.reach(e) == unnamed:
			notes = append(notes, fmt.Sprintf("%s: it names other principals", source))
		case c != nil:
			notes = append(notes, fmt.Sprintf("%s: condition %s is not met", source, c))
		}
	}
	return notes
}

// remedies says what would allow, given the reason of the denial.
func (e *evaluation) remedies(reason Reason) []string {
	r := e.request
	p := &r.Principal
	identity := fmt.Sprintf("an Allow of %s in an identity policy of %s", r.Action, p)
	resource := fmt.Sprintf("an Allow of %s for %s in the resource policy", r.Action, p)
	var list []string
	switch reason {
	case DeniedByBoundary:
		return []string{fmt.Sprintf("an Allow of %s in the permissions boundary", r.Action)}
	case DeniedBySession:
		return []string{fmt.Sprintf("an Allow of %s in a session policy", r.Action)}
	case DeniedNoGrant, DeniedByGrant:
		return []string{fmt.Sprintf("grant %s, if it let %s do %s", r.OnlyGrant, p, r.Action)}
	case DeniedByIdentity:
		list = append(list, identity)
	case DeniedByResource:
		list = append(list, resource)
	default:
		list = e.openings(identity, resource)
	}
	if op, ok := strings.CutPrefix(r.Action, kmsPrefix); ok && slices.Contains(grantable[:], op) {
		list = append(list, fmt.Sprintf("a grant of %s to %s", op, p))
	}
	return list
}

// openings says what would allow where nothing does.
func (e *evaluation) openings(identity, resource string) []string {
	r := e.request
	switch {
	case !r.Principal.hasIdentity() || e.sameAccount() && r.Principal.Kind == Root:
		return []string{resource}
	case !e.sameAccount():
		return []string{resource + ", with " + identity}
	case r.RootOfTrust:
		account := fmt.Sprintf("one for account %s, with ", r.Principal.Account)
		return []string{resource, account + identity}
	}
	list := []string{identity}
	if r.ResourcePolicy.Document != nil {
		list = append(list, resource)
	}
	return list
}
