package kms

import (
	"cmp"
	"context"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// ListGrants lists a key's grants in the order of their ids.
func (s *Service) ListGrants(ctx context.Context, in *kms.ListGrantsInput) (
	*kms.ListGrantsResponse, error,
) {
	out := &kms.ListGrantsResponse{Grants: []kms.GrantListEntry{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, anyKey)
		if err != nil {
			return err
		}
		grantee := cmp.Or(in.GranteePrincipal, in.GranteeServicePrincipal)
		if in.GrantId != "" {
			return listOne(tx, k, in.GrantId, grantee, out)
		}
		p, err := newPage(tx, in.Marker, in.Limit, 50, 100, "grants", k.ID, grantee)
		if err != nil {
			return err
		}
		err = listGrants(p, k.id(), grantee, out)
		out.NextMarker, out.Truncated = p.marker()
		return err
	})
}

// listOne fills the answer with the grant of this id.
func listOne(
	tx *control.Tx, k *key, name, grantee string, out *kms.ListGrantsResponse,
) error {
	id, err := parseGrantID(name)
	if err != nil {
		return err
	}
	g, err := loadGrant(tx, k.id(), id)
	if err != nil {
		return err
	}
	if g != nil && (grantee == "" || g.policy().Grantee == grantee) {
		out.Grants = append(out.Grants, g.entry())
	}
	out.Truncated = new(false)
	return nil
}

// listGrants fills a page with the grants of a key, of one grantee if named.
func listGrants(p *page, key keyID, grantee string, out *kms.ListGrantsResponse) error {
	take := func(g *grant, err error) (bool, error) {
		if err != nil || g == nil {
			return false, err
		}
		out.Grants = append(out.Grants, g.entry())
		return true, nil
	}
	if grantee == "" {
		return p.walk(control.TableGrant, key[:], func(_, value []byte) (bool, error) {
			return take(parseGrant(value))
		})
	}
	prefix := granteePrefix(p.tx, key, grantee)
	return p.walk(control.TableGrantIndex, prefix, func(id, _ []byte) (bool, error) {
		return take(loadGrant(p.tx, key, grantID(id)))
	})
}

// ListRetirableGrants lists the grants in this Region that a principal of the
// caller's account may retire, on keys of any account. Of a service principal
// it shows only the grants that the caller's account made.
func (s *Service) ListRetirableGrants(ctx context.Context, in *kms.ListRetirableGrantsInput) (
	*kms.ListGrantsResponse, error,
) {
	out := &kms.ListGrantsResponse{Grants: []kms.GrantListEntry{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		call := gateway.From(ctx)
		if (in.RetiringPrincipal == "") == (in.RetiringServicePrincipal == "") {
			return invalid("Specify either RetiringPrincipal or RetiringServicePrincipal.")
		}
		name := cmp.Or(in.RetiringPrincipal, in.RetiringServicePrincipal)
		if !isPrincipal(name) {
			return badARN("ARN does not refer to a valid principal: %s", name)
		}
		own := false
		if a, err := arn.Parse(name); err == nil {
			if a.Account != call.Account {
				return badARN("The retiring principal must be in your account: %s", name)
			}
			own = true
		}
		p, err := newPage(tx, in.Marker, in.Limit, 50, 100,
			"retirable", call.Account, call.Region, name)
		if err != nil {
			return err
		}
		prefix := retiringPrefix(tx, call.Region, name)
		err = p.walk(control.TableGrantIndex, prefix, func(id, _ []byte) (bool, error) {
			g, err := loadGrant(tx, keyID(id[:16]), grantID(id[16:]))
			if err != nil || g == nil || !own && g.Issuer != call.Account {
				return false, err
			}
			out.Grants = append(out.Grants, g.entry())
			return true, nil
		})
		out.NextMarker, out.Truncated = p.marker()
		return err
	})
}
