package policy

// Evaluate decides a request. It is a pure function of r.
//
//   - A Deny that applies, in any policy, denies.
//   - Within one account an identity policy or the resource policy allows; with
//     RootOfTrust identity policies count only where the resource policy lets
//     the account in. Across accounts both must allow.
//   - The root user needs no identity policy. Services and principals of an
//     identity provider have none: only the resource policy or a grant allows.
//   - Boundary and session policies limit what identity policies give and what
//     is given to the role behind a session, but not what a resource policy of
//     the same account gives to the principal by its own name or to everyone.
//   - A grant allows by itself, also across accounts.
//
// Source: IAM User Guide, "Policy evaluation logic"; KMS Developer Guide,
// "Troubleshooting key access".
func Evaluate(r Request) Decision {
	e := evaluation{request: &r}
	v := e.decide()
	return Decision{Allowed: v.allowed, Reason: v.reason, By: v.by, With: v.with, request: r}
}

func (e *evaluation) decide() verdict {
	if !e.prepare() {
		return deny(DeniedRequest)
	}
	retiring := e.action == retireAction
	if by := e.denied(!retiring); by.Kind != FromNothing {
		return verdict{reason: DeniedExplicitly, by: by}
	}
	switch {
	case retiring:
		return e.retire()
	case e.request.OnlyGrant != "":
		return e.byOneGrant()
	}
	v := e.byPolicies()
	if v.allowed {
		return v
	}
	if g := e.grant(); g != nil {
		return allow(AllowedByGrant, grantSource(g))
	}
	return v
}

func grantSource(g *Grant) Source { return Source{Kind: FromGrant, Name: g.ID} }

// denied finds a Deny statement that applies.
func (e *evaluation) denied(resource bool) Source {
	r := e.request
	if by := e.find(r.Identity, FromIdentity, true); by.Kind != FromNothing {
		return by
	}
	if by := e.findIn(&r.Boundary, FromBoundary, true); by.Kind != FromNothing {
		return by
	}
	if by := e.find(r.Session, FromSession, true); by.Kind != FromNothing {
		return by
	}
	if !resource {
		return Source{}
	}
	return e.findIn(&r.ResourcePolicy, FromResource, true)
}

// find gives the first statement with the effect that applies.
func (e *evaluation) find(list []Policy, kind SourceKind, deny bool) Source {
	for i := range list {
		if by := e.findIn(&list[i], kind, deny); by.Kind != FromNothing {
			return by
		}
	}
	return Source{}
}

func (e *evaluation) findIn(p *Policy, kind SourceKind, deny bool) Source {
	if p.Document == nil {
		return Source{}
	}
	for i := range p.Document.statements {
		s := &p.Document.statements[i]
		if s.deny == deny && s.applies(e) {
			return Source{kind, p.Name, s.label}
		}
	}
	return Source{}
}

// byPolicies decides without grants.
func (e *evaluation) byPolicies() verdict {
	r := e.request
	how, by := e.resourcePolicy()
	same := e.sameAccount()
	if !r.Principal.hasIdentity() || same && how == byName {
		if how == byName {
			return allow(AllowedByResource, by)
		}
		return deny(DeniedByDefault)
	}
	if same && how == byIssuer {
		ok, v := e.limits()
		if ok {
			return allow(AllowedByResource, by)
		}
		return v
	}
	v := e.identity()
	needed := r.RootOfTrust || !same
	switch {
	case needed && how == unnamed && v.allowed:
		return deny(DeniedByResource)
	case needed && how == unnamed:
		return deny(DeniedByDefault)
	case needed && v.allowed:
		return verdict{allowed: true, reason: AllowedByBoth, by: v.by, with: by}
	case how != unnamed && v.reason == DeniedByDefault:
		return deny(DeniedByIdentity)
	}
	return v
}

// resourcePolicy gives how far the resource policy lets the principal in, and
// the statement that does.
func (e *evaluation) resourcePolicy() (reach, Source) {
	p := &e.request.ResourcePolicy
	best, by := unnamed, Source{}
	if p.Document == nil {
		return best, by
	}
	for i := range p.Document.statements {
		s := &p.Document.statements[i]
		if s.deny {
			continue
		}
		if how := s.reach(e); how > best && s.covers(e) && s.holds(e) {
			best, by = how, Source{FromResource, p.Name, s.label}
		}
		if best == byName {
			break
		}
	}
	return best, by
}

// identity decides by identity policies within boundary and session.
func (e *evaluation) identity() verdict {
	p := &e.request.Principal
	if !p.hasIdentity() {
		return deny(DeniedByDefault)
	}
	by, reason := Source{Kind: FromRoot}, AllowedAsRoot
	if p.Kind != Root {
		by, reason = e.find(e.request.Identity, FromIdentity, false), AllowedByIdentity
	}
	if by.Kind == FromNothing {
		return deny(DeniedByDefault)
	}
	if ok, v := e.limits(); !ok {
		return v
	}
	return allow(reason, by)
}

// limits reports whether boundary and session leave the request; else it
// gives the verdict. A boundary does not hold for a root user.
func (e *evaluation) limits() (bool, verdict) {
	r := e.request
	if r.Boundary.Document != nil && r.Principal.Kind != Root &&
		e.findIn(&r.Boundary, FromBoundary, false).Kind == FromNothing {
		return false, deny(DeniedByBoundary)
	}
	limited := len(r.Session) > 0 || r.Principal.Kind == FederatedUser
	if limited && e.find(r.Session, FromSession, false).Kind == FromNothing {
		return false, deny(DeniedBySession)
	}
	return true, verdict{}
}

// byOneGrant decides by the grant that the request names, and by no other.
func (e *evaluation) byOneGrant() verdict {
	g := e.namedGrant()
	switch {
	case g == nil:
		return deny(DeniedNoGrant)
	case g.hinders(e) == noObstacle:
		return allow(AllowedByGrant, grantSource(g))
	}
	return deny(DeniedByGrant)
}

// namedGrant finds the grant that the request names.
func (e *evaluation) namedGrant() *Grant {
	for i := range e.request.Grants {
		if g := &e.request.Grants[i]; g.ID == e.request.OnlyGrant {
			return g
		}
	}
	return nil
}
