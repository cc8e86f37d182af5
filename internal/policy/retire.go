package policy

import "slices"

// retire decides kms:RetireGrant, which the grant itself rules: its retiring
// principal may, its grantee if RetireGrant is among the operations, and the
// account that made it. Where one of them is an account, its root user may and
// others need kms:RetireGrant in their identity policies. Key policies say
// nothing about it, not even by Deny.
//
// Source: KMS Developer Guide, "Retiring and revoking grants".
func (e *evaluation) retire() verdict {
	g := e.namedGrant()
	if g == nil {
		return deny(DeniedNoGrant)
	}
	p := &e.request.Principal
	how := reachOf(g.Retiring, p)
	if slices.Contains(g.Operations, opRetireGrant) {
		how = max(how, reachOf(g.Grantee, p))
	}
	switch how {
	case byName:
		return allow(AllowedByGrant, grantSource(g))
	case byIssuer:
		ok, v := e.limits()
		if ok {
			return allow(AllowedByGrant, grantSource(g))
		}
		return v
	}
	if how != byAccount && (!p.hasIdentity() || p.Account != g.IssuingAccount) {
		return deny(DeniedByGrant)
	}
	switch v := e.identity(); {
	case v.allowed:
		return allow(AllowedByOwnership, grantSource(g))
	case v.reason != DeniedByDefault:
		return v
	}
	return deny(DeniedByGrant)
}
