package kms

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Bounds of an encryption context in a grant's constraint.
const (
	maxConstraintPairs = 8
	maxConstraintValue = 384 // characters
)

var servicePrincipal = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)?\.amazonaws\.com$`)

// grantOf reads what a request asks for. It checks nothing: decisions look at
// it before CreateGrant does.
func grantOf(in *kms.CreateGrantInput, call *gateway.Call, k *key) *grant {
	g := &grant{
		Key: k.ID, KeyARN: k.arn(), Region: k.Region, Name: in.Name, Issuer: call.Account,
		Grantee: in.GranteePrincipal, GranteeService: in.GranteeServicePrincipal,
		Retiring: in.RetiringPrincipal, RetiringService: in.RetiringServicePrincipal,
	}
	for _, op := range in.Operations {
		if !slices.Contains(g.Operations, op) {
			g.Operations = append(g.Operations, op)
		}
	}
	if c := in.Constraints; c != nil {
		g.Equals, g.Subset = c.EncryptionContextEquals, c.EncryptionContextSubset
		g.SourceARN = c.SourceArn
	}
	return g
}

// check refuses a grant that could not work or cannot be.
func (g *grant) check(k *key) error {
	if (g.Grantee == "") == (g.GranteeService == "") {
		return invalid("Specify either GranteePrincipal or GranteeServicePrincipal.")
	}
	if g.Retiring != "" && g.RetiringService != "" {
		return invalid("Specify either RetiringPrincipal or RetiringServicePrincipal.")
	}
	for _, name := range []string{g.Grantee, g.Retiring} {
		if name != "" && !isPrincipal(name) {
			return badARN("ARN does not refer to a valid principal: %s", name)
		}
	}
	for _, name := range []string{g.GranteeService, g.RetiringService} {
		if name != "" && !servicePrincipal.MatchString(name) {
			return invalid("%s is not a service principal.", name)
		}
	}
	if len(g.Operations) == 0 {
		return invalid("A grant must have at least one operation.")
	}
	for _, op := range g.Operations {
		if !canGrant(k.Spec, k.Usage, op) {
			return invalid("The operation %s is not valid for a key with key spec %s and key "+
				"usage %s.", op, k.Spec, k.Usage)
		}
	}
	return g.checkConstraints(k)
}

func (g *grant) checkConstraints(k *key) error {
	if len(g.Equals)+len(g.Subset) > 0 && k.Spec != symmetric {
		return invalid("Encryption context constraints are valid for symmetric encryption keys " +
			"only.")
	}
	for _, pairs := range []map[string]string{g.Equals, g.Subset} {
		if len(pairs) > maxConstraintPairs {
			return invalid("A grant constraint can have %d pairs at most.", maxConstraintPairs)
		}
		for name, value := range pairs {
			if name == "" || utf8.RuneCountInString(value) > maxConstraintValue {
				return invalid("A grant constraint has a pair without a name or with a value of "+
					"more than %d characters.", maxConstraintValue)
			}
		}
	}
	return nil
}

// know notes the unique ids of the users and roles that a checked grant names, who must
// exist.
func (s *Service) know(ctx context.Context, g *grant) (err error) {
	if g.GranteeID, err = s.uniqueID(ctx, g.Grantee); err == nil {
		g.RetiringID, err = s.uniqueID(ctx, g.Retiring)
	}
	return err
}

// uniqueID gives the unique id of a user or role; empty for other principals.
func (s *Service) uniqueID(ctx context.Context, name string) (string, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" || a.Resource == "root" {
		return "", nil
	}
	ids, err := s.uniqueIDs(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		err = badARN("ARN does not refer to a valid principal: %s", name)
	}
	return ids[name], err
}

// isPrincipal accepts the forms that a grant may name someone by.
func isPrincipal(name string) bool {
	if servicePrincipal.MatchString(name) {
		return true
	}
	a, err := arn.Parse(name)
	if err != nil || a.Partition != "aws" || a.Region != "" || len(a.Account) != 12 {
		return false
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch a.Service {
	case "iam":
		return a.Resource == "root" || (kind == "user" || kind == "role") && rest != ""
	case "sts":
		return kind == "assumed-role" && strings.Contains(rest, "/") ||
			kind == "federated-user" && rest != ""
	}
	return false
}

// CreateGrant lets a principal use a key. With a name it makes one grant only,
// however often it is asked for the same. That a grant made through a grant
// only narrows it is for the decision before: see Access.
func (s *Service) CreateGrant(ctx context.Context, in *kms.CreateGrantInput) (
	out *kms.CreateGrantOutput, err error,
) {
	err = s.update(ctx, func(tx *control.Tx) error {
		call := gateway.From(ctx)
		k, err := resolve(ctx, tx, in.KeyId, anyKey)
		if err != nil {
			return err
		}
		g := grantOf(in, call, k)
		err = cmp.Or(k.usable(), checkTokens(tx, in.GrantTokens), g.check(k))
		if err == nil {
			err = s.know(ctx, g)
		}
		if err != nil {
			return err
		}
		if err := dryRun(in.DryRun); err != nil {
			return err
		}
		// Each use of a key by a service has its own grants: those that two
		// brokers ask for say the same and must not be one.
		if err := s.makeGrant(tx, k, g, call.InvokedBy == ""); err != nil {
			return err
		}
		token, err := g.token(tx)
		if err != nil {
			return err
		}
		call.SetResponseElements(map[string]any{"grantId": g.ID, "keyId": k.arn()})
		out = &kms.CreateGrantOutput{GrantId: g.ID, GrantToken: token}
		return nil
	})
	return out, err
}

// makeGrant stores g under a new id or, where a name makes one grant only, gives
// it the id of the same grant.
func (s *Service) makeGrant(tx *control.Tx, k *key, g *grant, once bool) error {
	once = once && g.Name != ""
	if once {
		id, ok, err := tx.Get(control.TableGrantIndex, g.nameRow(tx))
		if err != nil {
			return err
		}
		if ok {
			g.ID = hex.EncodeToString(id)
			return nil
		}
	}
	if k.Grants >= s.cfg.MaxGrants {
		return overLimit("%s has %d grants, the most that a key can have.", k.arn(), k.Grants)
	}
	var id grantID
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	g.ID, g.Created = hex.EncodeToString(id[:]), tx.Time()
	if err := g.save(tx, k); err != nil {
		return err
	}
	if once {
		tx.Put(control.TableGrantIndex, g.nameRow(tx), id[:])
	}
	s.recheck(tx, k)
	return nil
}
