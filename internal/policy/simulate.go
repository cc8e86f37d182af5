package policy

// Position is a place in a document: line and column from 1, the column in
// characters. As IAM's simulator has it, a statement begins behind its opening
// brace and ends behind its closing one.
type Position struct{ Line, Column int }

// Match is a statement that determined a decision.
type Match struct {
	Source
	Start, End Position
}

// Simulation is a decision with all that determined it.
type Simulation struct {
	Decision
	// Matches are the statements that deny, if one does; else of an Allow all that
	// allow in identity policies and the resource policy.
	Matches []Match
	// Missing are the condition keys and variables, as they are written, that
	// statements about the action want and the request lacks.
	Missing []string
	// Identity, Boundary and Resource say what each sort of policy decides by itself.
	Identity, Boundary, Resource Outcome
}

// Outcome is what policies decide by themselves.
type Outcome uint8

// The outcomes.
const (
	ImplicitDeny Outcome = iota
	ExplicitDeny
	Allow
)

// Simulate decides a request as Evaluate does and tells more.
func Simulate(r Request) Simulation {
	s := Simulation{Decision: Evaluate(r)}
	e := evaluation{request: &r}
	if !e.prepare() {
		return s
	}
	deny := s.ExplicitDeny()
	lists := e.lists()
	missing := names{}
	for _, l := range lists {
		if deny || s.Allowed && (l.kind == FromIdentity || l.kind == FromResource) {
			s.Matches = e.matches(s.Matches, l, deny)
		}
		e.missing(&missing, l)
	}
	s.Missing = missing.list
	s.Identity = e.outcome(lists[0])
	s.Boundary = e.outcome(lists[1])
	s.Resource = e.outcome(lists[3])
	return s
}

// sourced is policies of one sort.
type sourced struct {
	kind     SourceKind
	policies []Policy
}

// lists gives all policies of the request: of the identity, the boundary, the
// session and the resource.
func (e *evaluation) lists() [4]sourced {
	r := e.request
	return [...]sourced{
		{FromIdentity, r.Identity}, {FromBoundary, []Policy{r.Boundary}},
		{FromSession, r.Session}, {FromResource, []Policy{r.ResourcePolicy}},
	}
}

// each calls f for every statement of l.
func (l *sourced) each(f func(p *Policy, s *statement)) {
	for i := range l.policies {
		p := &l.policies[i]
		if p.Document == nil {
			continue
		}
		for j := range p.Document.statements {
			f(p, &p.Document.statements[j])
		}
	}
}

func (e *evaluation) matches(list []Match, l sourced, deny bool) []Match {
	l.each(func(p *Policy, s *statement) {
		if s.deny == deny && s.applies(e) {
			list = append(list, Match{Source{l.kind, p.Name, s.label}, s.start, s.end})
		}
	})
	return list
}

func (e *evaluation) outcome(l sourced) Outcome {
	out := ImplicitDeny
	l.each(func(_ *Policy, s *statement) {
		switch {
		case out == ExplicitDeny || !s.applies(e):
		case s.deny:
			out = ExplicitDeny
		default:
			out = Allow
		}
	})
	return out
}

func (e *evaluation) missing(list *names, l sourced) {
	l.each(func(_ *Policy, s *statement) {
		if !s.hasAction(e) {
			return
		}
		s.keys(func(key string) {
			if v := e.lookup(fold(key)); v.len() == 0 {
				list.add(key)
			}
		})
	})
}

// names are names of keys, each once whatever its case.
type names struct {
	list []string
	seen map[string]bool
}

func (n *names) add(key string) {
	if folded := fold(key); !n.seen[folded] {
		if n.seen == nil {
			n.seen = map[string]bool{}
		}
		n.seen[folded] = true
		n.list = append(n.list, key)
	}
}

// ContextKeys lists the condition keys and variables of documents, as they are
// written, each once.
func ContextKeys(documents ...*Document) []string {
	var list names
	for _, d := range documents {
		for i := range d.statements {
			d.statements[i].keys(list.add)
		}
	}
	return list.list
}

// Statements gives how many statements the document has.
func (d *Document) Statements() int { return len(d.statements) }

// keys calls f for the condition keys and variables of s.
func (s *statement) keys(f func(string)) {
	variables := func(p *pattern) {
		for i := range p.tokens {
			if t := &p.tokens[i]; t.kind == variable {
				f(t.written)
			}
		}
	}
	ofARN := func(r *resourcePattern) {
		for i := range r.parts {
			variables(&r.parts[i])
		}
	}
	for i := range s.resources {
		ofARN(&s.resources[i])
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		f(c.key)
		for j := range c.operands {
			variables(&c.operands[j].pattern)
			ofARN(&c.operands[j].arn)
		}
	}
}
