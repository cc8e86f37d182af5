package policy

// Use is where a document stands. It decides which elements a statement has.
type Use uint8

// The uses.
const (
	Identity Use = iota // attached to a user, group or role; a boundary; a session policy
	Resource            // attached to a resource: key policy, queue policy; has principals
	Trust               // of a role: has principals and no resources
)

// Document is a parsed policy. It is immutable and safe for concurrent use.
type Document struct {
	use        Use
	version    string
	id         string
	size       int
	statements []statement
}

// Version gives the Version element, or "" if there is none, which means
// 2008-10-17: no policy variables.
func (d *Document) Version() string { return d.version }

// ID gives the Id element or "".
func (d *Document) ID() string { return d.id }

// Size gives the length of the text in bytes: a bound of what a decision compares.
func (d *Document) Size() int { return d.size }

// Use gives what the document was parsed as.
func (d *Document) Use() Use { return d.use }

// statement is one compiled Statement.
type statement struct {
	label         string // its Sid, else its place: "#1" is the first
	deny          bool
	principals    []principalName
	notPrincipals bool
	actions       []pattern
	notActions    bool
	resources     []resourcePattern // empty in a trust policy only
	notResources  bool
	conditions    []condition
	start, end    Position
}

// covers reports whether action and resource of the request fall under s.
func (s *statement) covers(e *evaluation) bool {
	return s.hasAction(e) && s.hasResource(e)
}

func (s *statement) hasAction(e *evaluation) bool {
	for i := range s.actions {
		if matchTokens(s.actions[i].tokens, e.action) {
			return !s.notActions
		}
	}
	return s.notActions
}

// hasResource compares the resource; see matchResource and matchWide for the
// two ways. A pattern whose variable has no value names no resource. So a
// NotResource of it excludes none; but of an Allow AWS calls it invalid, and it
// gives nothing.
func (s *statement) hasResource(e *evaluation) bool {
	if len(s.resources) == 0 {
		return true
	}
	wide := s.deny != s.notResources
	for i := range s.resources {
		r := &s.resources[i]
		if r.matchResource(e, &e.resource) || wide && r.matchWide(e, &e.resource) {
			return !s.notResources
		}
		if s.notResources && !s.deny && !r.resolves(e) {
			return false
		}
	}
	return s.notResources
}

// reach says how s names the principal. An identity policy names the one it is
// attached to.
func (s *statement) reach(e *evaluation) reach {
	if len(s.principals) == 0 {
		return byName
	}
	if s.notPrincipals {
		return nameIf(!s.spares(e))
	}
	best := unnamed
	for i := range s.principals {
		best = max(best, s.principals[i].reach(&e.request.Principal))
	}
	return best
}

// spares reports whether NotPrincipal excepts the principal. It goes with Deny
// only, and AWS looks at the account, at the role or user behind a session and
// at the principal in turn: each must be listed. Whoever has a permissions
// boundary is never spared.
//
// Source: IAM User Guide, "AWS JSON policy elements: NotPrincipal".
func (s *statement) spares(e *evaluation) bool {
	p := &e.request.Principal
	var listed [byName + 1]bool
	for i := range s.principals {
		if s.principals[i].kind == nameEveryone {
			return true
		}
		listed[s.principals[i].reach(p)] = true
	}
	switch p.Kind {
	case User:
		return listed[byName] && listed[byAccount] && e.request.Boundary.Document == nil
	case AssumedRole, FederatedUser:
		return listed[byName] && listed[byIssuer] && listed[byAccount] &&
			e.request.Boundary.Document == nil
	}
	return listed[byName]
}

// holds reports whether every condition is met.
func (s *statement) holds(e *evaluation) bool { return s.unmet(e) == nil }

// unmet gives the first condition that is not met.
func (s *statement) unmet(e *evaluation) *condition {
	for i := range s.conditions {
		if !s.conditions[i].met(e) {
			return &s.conditions[i]
		}
	}
	return nil
}

// applies reports whether s says something about the request.
func (s *statement) applies(e *evaluation) bool {
	return s.covers(e) && s.reach(e) != unnamed && s.holds(e)
}
