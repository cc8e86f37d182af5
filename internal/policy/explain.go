package policy

import (
	"fmt"
	"strings"
	"unicode"
)

// maxNotes bounds the statements and grants that an explanation lists.
const maxNotes = 16

// Explain gives the decision in lines of text: what was asked, the reason,
// what decided, and, of a denial, which statements and grants came near, what
// would allow and where to add it. It names policies, statements, condition keys
// and grants, but no condition value; control characters in names are replaced, so
// that none can pose as a line. The text is stable for equal requests.
func (d Decision) Explain() string {
	var b explanation
	r := &d.request
	verb := "denied"
	if d.Allowed {
		verb = "allowed"
	}
	b.line("%s: %s on %s for %s", verb, r.Action, r.Resource, &r.Principal)
	b.line("reason: %s", d.Reason)
	if d.By.Kind != FromNothing {
		b.line("by: %s", d.By)
	}
	if d.With.Kind != FromNothing {
		b.line("with: %s", d.With)
	}
	e := evaluation{request: r}
	if d.Allowed || d.Reason == DeniedRequest || !e.prepare() {
		return b.String()
	}
	if d.ExplicitDeny() {
		e.explainDeny(&b, d.By)
		return b.String()
	}
	notes := e.near()
	for _, n := range notes[:min(len(notes), maxNotes)] {
		b.line("near: %s", n)
	}
	if len(notes) > maxNotes {
		b.line("near: %d more", len(notes)-maxNotes)
	}
	for _, w := range e.remedies(d.Reason) {
		b.line("would allow: %s", w.text)
		if w.add != "" {
			b.line("  %s: %s", w.verb, w.add)
		}
	}
	return b.String()
}

// explanation is text in lines.
type explanation struct{ strings.Builder }

func (x *explanation) line(format string, args ...any) {
	x.WriteString(oneLine(fmt.Sprintf(format, args...)))
	x.WriteByte('\n')
}

// oneLine replaces what would end a line or steer a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// explainDeny says what keeps a Deny from applying.
func (e *evaluation) explainDeny(b *explanation, by Source) {
	s := e.denying(by)
	if s == nil {
		return
	}
	for i := range s.conditions {
		b.line("met: condition %s", &s.conditions[i])
	}
	text := "nothing beside it: no Allow and no grant beats a Deny. " +
		"Change or remove the statement"
	if len(s.conditions) > 0 {
		text += ", or make a request that does not meet one of its conditions"
	}
	if s.notPrincipals {
		text += ", or list the principal, the role behind its session and its account " +
			"in NotPrincipal"
	}
	b.line("would allow: %s", text)
}

// denying finds the statement that denied again.
func (e *evaluation) denying(by Source) (found *statement) {
	for _, l := range e.lists() {
		l.each(func(p *Policy, s *statement) {
			if found == nil && s.deny && by == (Source{l.kind, p.Name, s.label}) && s.applies(e) {
				found = s
			}
		})
	}
	return found
}

// near lists what would have allowed but for one thing: statements that cover
// action and resource, and grants for the principal. Of a request in the name
// of a grant it is that grant.
func (e *evaluation) near() []string {
	r := e.request
	var notes []string
	if r.OnlyGrant != "" {
		if g := e.namedGrant(); g != nil && e.action != retireAction {
			notes = append(notes, fmt.Sprintf("grant %s: %s", g.ID, g.obstructs(e)))
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
		if g.hinders(e) != otherGrantee {
			notes = append(notes, fmt.Sprintf("grant %s: %s", g.ID, g.obstructs(e)))
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
			notes = append(notes,
				fmt.Sprintf("%s: condition %s is not met: %s", source, c, e.why(c)))
		}
	}
	return notes
}

// why says what of the request does not meet a condition.
func (e *evaluation) why(c *condition) string {
	if values := e.lookup(c.folded); values.len() == 0 {
		return "the request does not have the key"
	}
	if c.operator.family == ofPresence {
		return "the request has the key"
	}
	return "the request has another value"
}

// obstructs gives the obstacle of a grant, with the pair that is in the way.
func (g *Grant) obstructs(e *evaluation) string {
	o := g.hinders(e)
	if o != otherContext {
		return string(o)
	}
	pairs := e.request.EncryptionContext
	for _, want := range [...]map[string]string{
		g.EncryptionContextEquals, g.EncryptionContextSubset,
	} {
		for _, name := range contextNames(want).many {
			switch {
			case hasFolded(pairs, name, want[name]):
			case !hasName(pairs, name):
				return fmt.Sprintf("%s: it has no pair %s", o, name)
			default:
				return fmt.Sprintf("%s: its pair %s has another value", o, name)
			}
		}
	}
	return string(o) + ": it has more pairs than the constraint"
}

// hasName reports whether pairs have a name, which has no case.
func hasName(pairs map[string]string, name string) bool {
	v := contextValues(pairs, fold(name))
	return v.len() > 0
}
