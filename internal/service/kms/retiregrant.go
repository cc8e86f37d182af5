package kms

import (
	"context"
	"strings"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// RetireGrant ends a grant on behalf of those who use it. It works in every
// state of the key.
func (s *Service) RetireGrant(ctx context.Context, in *kms.RetireGrantInput) (
	*kms.RetireGrantOutput, error,
) {
	return &kms.RetireGrantOutput{}, s.update(ctx, func(tx *control.Tx) error {
		k, g, err := retirable(ctx, tx, in)
		if err == nil {
			err = dryRun(in.DryRun)
		}
		if err != nil {
			return err
		}
		affected(ctx, k)
		return s.endGrant(ctx, tx, k, g, "retired")
	})
}

// retirable finds the grant that RetireGrant names, by its token or by its id
// and the key's ARN.
func retirable(ctx context.Context, tx *control.Tx, in *kms.RetireGrantInput) (
	*key, *grant, error,
) {
	switch {
	case in.GrantToken != "" && in.KeyId+in.GrantId == "":
		id, gid, err := parseToken(tx, in.GrantToken)
		if err != nil {
			return nil, nil, err
		}
		k, err := load(tx, id)
		if err != nil {
			return nil, nil, err
		}
		if k == nil || k.Region != gateway.From(ctx).Region {
			return nil, nil, badToken()
		}
		g, err := loadGrant(tx, id, gid)
		if err == nil && g == nil {
			err = notFound("The grant of the token does not exist.")
		}
		return k, g, err
	case in.GrantToken == "" && in.KeyId != "" && in.GrantId != "":
		if !strings.HasPrefix(in.KeyId, "arn:") {
			return nil, nil, badARN("Invalid arn %s", in.KeyId)
		}
		return grantOfKey(ctx, tx, in.KeyId, in.GrantId)
	}
	return nil, nil, invalid("Specify either the grant token, or the key ARN and the grant ID.")
}

// grantOfKey finds a grant by its id and its key.
func grantOfKey(ctx context.Context, tx *control.Tx, keyName, grantName string) (
	*key, *grant, error,
) {
	k, err := resolve(ctx, tx, keyName, anyKey)
	if err != nil {
		return nil, nil, err
	}
	id, err := parseGrantID(grantName)
	if err != nil {
		return nil, nil, err
	}
	g, err := loadGrant(tx, k.id(), id)
	if err == nil && g == nil {
		err = notFound("Grant ID %s not found", grantName)
	}
	return k, g, err
}

// RevokeGrant ends a grant on behalf of the key's owner. It works in every
// state of the key and cannot be undone.
func (s *Service) RevokeGrant(ctx context.Context, in *kms.RevokeGrantInput) (
	*kms.RevokeGrantOutput, error,
) {
	return &kms.RevokeGrantOutput{}, s.update(ctx, func(tx *control.Tx) error {
		k, g, err := grantOfKey(ctx, tx, in.KeyId, in.GrantId)
		if err == nil {
			err = dryRun(in.DryRun)
		}
		if err != nil {
			return err
		}
		affected(ctx, k)
		return s.endGrant(ctx, tx, k, g, "revoked")
	})
}

func (s *Service) endGrant(
	ctx context.Context, tx *control.Tx, k *key, g *grant, how string,
) error {
	if err := g.remove(tx, k); err != nil {
		return err
	}
	s.fenceGrant(ctx, tx, k, g,
		fault.New(fault.KeyUnavailable, "A grant on %s was %s.", k.arn(), how))
	return nil
}
