package policy

import (
	"slices"
	"strings"

	"coffer/internal/fault"
)

// Grant is a KMS grant, as far as decisions rest on it. A grant allows and
// never denies.
type Grant struct {
	ID string
	// Grantee is a principal's ARN, an account's root ARN, or a service principal.
	Grantee string
	// Retiring may retire the grant; the same forms; empty for none.
	Retiring string
	// IssuingAccount is the account in which the grant was made; it may retire it.
	IssuingAccount string
	// Operations are from the model's GrantOperation, such as Decrypt.
	Operations []string
	// EncryptionContextEquals, if not empty, must be the request's context.
	EncryptionContextEquals map[string]string
	// EncryptionContextSubset must be in the request's context.
	EncryptionContextSubset map[string]string
	// SourceArn, if not empty, must be the resource on whose behalf the request
	// is made (aws:SourceArn).
	SourceArn string
}

const (
	kmsPrefix     = "kms:"
	retireAction  = "kms:retiregrant" // folded
	opCreateGrant = "CreateGrant"
	opRetireGrant = "RetireGrant"
	opDescribeKey = "DescribeKey"
)

// grantable are the operations that a grant can have (GrantOperation), but for
// RetireGrant, which no other grant can help with.
var grantable = [...]string{
	"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
	"ReEncryptTo", "Sign", "Verify", "GetPublicKey", opCreateGrant, opDescribeKey,
	"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac",
	"DeriveSharedSecret",
}

// obstacle is why a grant does not allow a request.
type obstacle string

const (
	noObstacle        obstacle = ""
	otherGrantee      obstacle = "it is for another grantee"
	otherOperation    obstacle = "it does not have the operation"
	otherContext      obstacle = "the encryption context does not meet its constraint"
	otherSource       obstacle = "aws:SourceArn does not meet its constraint"
	notNarrower       obstacle = "the grant to make is wider than it"
	outsideTheAccount obstacle = "it is for the account, whose policies do not allow"
	outsideTheSession obstacle = "it is for the role, and the session's limits do not allow"
)

// constrained says how a grant's constraints bear on an operation; RetireGrant,
// on which they do not, is decided elsewhere.
//
// Of the others only DescribeKey is free of the constraint on the context.
// CreateGrant passes it on instead. AWS exempts all operations without an
// encryption context, but also refuses such a constraint on the keys that have
// them; here they are held to it, which admits less.
func (g *Grant) constrained(op string, e *evaluation) obstacle {
	if g.SourceArn != "" {
		v := e.lookup("aws:sourcearn")
		if v.len() != 1 || v.at(0) != g.SourceArn {
			return otherSource
		}
	}
	switch op {
	case opDescribeKey:
		return noObstacle
	case opCreateGrant:
		if child := e.request.NewGrant; child == nil || Narrows(g, child) != nil {
			return notNarrower
		}
		return noObstacle
	}
	pairs := e.request.EncryptionContext
	if len(g.EncryptionContextEquals) > 0 && !samePairs(g.EncryptionContextEquals, pairs) {
		return otherContext
	}
	if !includes(pairs, g.EncryptionContextSubset) {
		return otherContext
	}
	return noObstacle
}

// samePairs reports whether a and b have the same pairs.
func samePairs(a, b map[string]string) bool {
	return len(a) == len(b) && includes(a, b) && includes(b, a)
}

// includes reports whether every pair of part is in all. In a constraint the
// name of a pair has no case and its value has (GrantConstraints).
func includes(all, part map[string]string) bool {
	for name, value := range part {
		v, ok := all[name]
		if ok && v == value {
			continue
		}
		if ok && len(all) == 1 || !hasFolded(all, name, value) {
			return false
		}
	}
	return true
}

func hasFolded(pairs map[string]string, name, value string) bool {
	for n, v := range pairs {
		if v == value && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// Narrows reports whether child, to be made by the grantee of parent in
// parent's name, reaches no further than parent: parent has CreateGrant, child
// has only operations that parent has, and its constraints are at least as
// strict. A Subset may gain pairs or become an Equals, never the reverse. The
// error has the kind fault.Denied and says what is too wide.
//
// Source: KMS Developer Guide, "Granting CreateGrant permission".
func Narrows(parent, child *Grant) error {
	if !slices.Contains(parent.Operations, opCreateGrant) {
		return fault.New(fault.Denied, "grant %s does not permit CreateGrant", parent.ID)
	}
	if len(child.Operations) == 0 {
		return fault.New(fault.Denied, "the new grant has no operations")
	}
	for _, op := range child.Operations {
		if !slices.Contains(parent.Operations, op) {
			return fault.New(fault.Denied, "grant %s does not permit %s", parent.ID, op)
		}
	}
	if parent.SourceArn != "" && child.SourceArn != parent.SourceArn {
		return fault.New(fault.Denied, "grant %s is bound to another source ARN", parent.ID)
	}
	if len(parent.EncryptionContextEquals) > 0 &&
		!samePairs(parent.EncryptionContextEquals, child.EncryptionContextEquals) {
		return fault.New(fault.Denied,
			"the new grant must keep EncryptionContextEquals of grant %s", parent.ID)
	}
	if !includes(child.EncryptionContextSubset, parent.EncryptionContextSubset) &&
		!includes(child.EncryptionContextEquals, parent.EncryptionContextSubset) {
		return fault.New(fault.Denied,
			"the new grant must keep EncryptionContextSubset of grant %s", parent.ID)
	}
	return nil
}

// hinders gives why g does not allow the request. A grant for an account
// delegates to its policies and one for a role is within the limits of the
// session, as with the principals of a resource policy.
func (g *Grant) hinders(e *evaluation) obstacle {
	p := &e.request.Principal
	by := reachOf(g.Grantee, p)
	if by == unnamed {
		return otherGrantee
	}
	op, isKMS := strings.CutPrefix(e.request.Action, kmsPrefix)
	if !isKMS || !slices.Contains(g.Operations, op) {
		return otherOperation
	}
	if o := g.constrained(op, e); o != noObstacle {
		return o
	}
	switch by {
	case byAccount:
		if !e.identity().allowed {
			return outsideTheAccount
		}
	case byIssuer:
		if ok, _ := e.limits(); !ok {
			return outsideTheSession
		}
	}
	return noObstacle
}

// grant finds the first grant that allows the request, which names none.
func (e *evaluation) grant() *Grant {
	for i := range e.request.Grants {
		g := &e.request.Grants[i]
		if g.hinders(e) == noObstacle {
			return g
		}
	}
	return nil
}
