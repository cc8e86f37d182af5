package kms

import (
	"maps"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
)

// createKey is decided by the caller's own policies: there is no key yet. Tags
// need their own permission.
func (r *request) createKey(in *kms.CreateKeyInput) []gateway.Check {
	cond := requestTags(in.Tags)
	name, usage, err := chooseSpec(in.KeySpec, in.CustomerMasterKeySpec, in.KeyUsage)
	if err == nil { // else the operation says what is wrong, if it is allowed at all
		cond["kms:KeySpec"], cond["kms:CustomerMasterKeySpec"] = []string{name}, []string{name}
		cond["kms:KeyUsage"], cond["kms:CustomerMasterKeyUsage"] = []string{usage}, []string{usage}
	}
	origin := in.Origin
	if origin == "" {
		origin = originKMS
	}
	cond["kms:KeyOrigin"] = []string{origin}
	cond["kms:MultiRegion"] = []string{truth(in.MultiRegion)}
	cond["kms:BypassPolicyLockoutSafetyCheck"] = []string{truth(in.BypassPolicyLockoutSafetyCheck)}
	if v := r.via(); v != "" {
		cond["kms:ViaService"] = []string{v}
	}
	checks := []gateway.Check{{Context: cond}}
	if len(in.Tags) > 0 {
		checks = append(checks, gateway.Check{Action: "kms:TagResource", Context: cond})
	}
	return checks
}

// alias is the decision about an alias, which has no policy of its own.
func (r *request) alias(name string) gateway.Check {
	return gateway.Check{
		Resource: aliasARN(r.call.Account, r.call.Region, name), Account: r.call.Account,
	}
}

// aliasAndKey is the decision about an alias and the key it names or will name.
func (r *request) aliasAndKey(alias, name string) ([]gateway.Check, error) {
	checks, err := r.one(name, ownKey, conditions{"kms:RequestAlias": {alias}})
	return append(checks, r.alias(alias)), err
}

func (r *request) updateAlias(in *kms.UpdateAliasInput) ([]gateway.Check, error) {
	checks, err := r.aliasAndKey(in.AliasName, in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	old, err := r.deleteAlias(&kms.DeleteAliasInput{AliasName: in.AliasName})
	return append(checks, old...), err
}

func (r *request) deleteAlias(in *kms.DeleteAliasInput) ([]gateway.Check, error) {
	_, k, err := ownAlias(r.ctx, r.tx, in.AliasName)
	if err != nil {
		return nil, err
	}
	c, err := r.check(k, r.op, in.AliasName, nil)
	return []gateway.Check{c, r.alias(in.AliasName)}, err
}

// createGrant shows the grant to make to the decision: permission that comes
// from a grant reaches only as far as the new one narrows it.
func (r *request) createGrant(in *kms.CreateGrantInput) ([]gateway.Check, error) {
	k, err := resolve(r.ctx, r.tx, in.KeyId, anyKey)
	if err != nil {
		return nil, err
	}
	g := grantOf(in, r.call, k)
	if err := g.checkConstraints(k); err != nil { // the decision may compare every pair
		return nil, err
	}
	return r.makesGrant(k, g, in.KeyId)
}

// makesGrant is the decision about a grant that will allow: a new one, or one
// that was suspended.
func (r *request) makesGrant(k *key, g *grant, name string) ([]gateway.Check, error) {
	child := g.policy()
	cond := conditions{
		"kms:GrantOperations":       g.Operations,
		"kms:GrantIsForAWSResource": {r.forService()},
	}
	for name, value := range map[string]string{
		"kms:GranteePrincipal": g.Grantee, "kms:GranteeServicePrincipal": g.GranteeService,
		"kms:RetiringPrincipal": g.Retiring, "kms:RetiringServicePrincipal": g.RetiringService,
		"kms:GrantConstraintSourceArn": g.SourceARN,
	} {
		if value != "" {
			cond[name] = []string{value}
		}
	}
	pairs := map[string]string{}
	for kind, constraint := range map[string]map[string]string{
		"EncryptionContextEquals": g.Equals, "EncryptionContextSubset": g.Subset,
	} {
		if len(constraint) > 0 {
			cond["kms:GrantConstraintType"] = append(cond["kms:GrantConstraintType"], kind)
			maps.Copy(pairs, constraint)
		}
	}
	if g.SourceARN != "" {
		cond["kms:GrantConstraintType"] = append(cond["kms:GrantConstraintType"], "SourceArn")
	}
	c, err := r.check(k, "CreateGrant", name, cond)
	c.NewGrant, c.EncryptionContext = &child, pairs
	return []gateway.Check{c}, err
}

// forService is "true" when a service asks on the principal's behalf.
func (r *request) forService() string { return truth(new(r.call.InvokedBy != "")) }

// retireGrant is decided by the grant to retire, whatever others there are.
func (r *request) retireGrant(in *kms.RetireGrantInput) ([]gateway.Check, error) {
	k, g, err := retirable(r.ctx, r.tx, in)
	if err != nil {
		return nil, err
	}
	c, err := r.check(k, r.op, "", nil)
	if err != nil {
		return nil, err
	}
	c.Grants = append(c.Grants[:0:0], g.policyFor(&r.call.Principal))
	c.OnlyGrant = g.ID
	return []gateway.Check{c}, nil
}
