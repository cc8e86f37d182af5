package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// AWS has no operations for suspending a grant. These two are Coffer's own, and
// so is their place in its API; here is what they do and who may.

// SuspendChecks says what suspending a grant needs: what revoking it does.
func (s *Service) SuspendChecks(ctx context.Context, keyName string) ([]gateway.Check, error) {
	return s.checksOf(ctx, "RevokeGrant").one(keyName, anyKey, conditions{
		"kms:GrantIsForAWSResource": {"false"},
	})
}

// ResumeChecks says what resuming a grant needs: what making it does, with all
// that it has. Keys that AWS manages let only their service make grants, so there
// it is what suspending needs.
func (s *Service) ResumeChecks(ctx context.Context, keyName, grantName string) (
	[]gateway.Check, error,
) {
	r := s.checksOf(ctx, "CreateGrant")
	k, g, err := grantOfKey(ctx, r.tx, keyName, grantName)
	switch {
	case err != nil:
		return nil, err
	case k.Manager == managerAWS:
		return s.SuspendChecks(ctx, keyName)
	}
	return r.makesGrant(k, g, keyName)
}

// UsageChecks says what seeing the use of a key needs.
func (s *Service) UsageChecks(ctx context.Context, keyName string) ([]gateway.Check, error) {
	checks, err := s.checksOf(ctx, "DescribeKey").one(keyName, anyName, nil)
	if err != nil {
		return nil, err
	}
	more, err := s.checksOf(ctx, "ListGrants").one(keyName, anyName, nil)
	return append(checks, more...), err
}

// checksOf gathers decisions about an operation of this service for a call to
// another one.
func (s *Service) checksOf(ctx context.Context, op string) *request {
	return &request{s, ctx, control.From(ctx), gateway.From(ctx), op}
}

// SuspendGrant keeps a grant from allowing anything, at once for data keys in
// memory, until it is resumed. It can be retired and revoked meanwhile, and works
// in every state of the key. A suspended grant stays as it is.
func (s *Service) SuspendGrant(ctx context.Context, keyName, grantName string) error {
	return s.update(ctx, func(tx *control.Tx) error {
		k, g, err := grantOfKey(ctx, tx, keyName, grantName)
		if err != nil || !g.Suspended.IsZero() {
			return err
		}
		if err := g.suspend(tx, k, tx.Time()); err != nil {
			return err
		}
		s.fenceGrant(ctx, tx, k, g,
			fault.New(fault.KeyUnavailable, "A grant on %s was suspended.", k.arn()))
		return nil
	})
}

// ResumeGrant ends the suspension of a grant; brokers that rest on it come back.
func (s *Service) ResumeGrant(ctx context.Context, keyName, grantName string) error {
	return s.update(ctx, func(tx *control.Tx) error {
		k, g, err := grantOfKey(ctx, tx, keyName, grantName)
		if err != nil || g.Suspended.IsZero() {
			return err
		}
		if err := g.suspend(tx, k, time.Time{}); err != nil {
			return err
		}
		s.recheck(tx, k)
		return nil
	})
}

// suspend sets since when the grant does not allow; zero: it does.
func (g *grant) suspend(tx *control.Tx, k *key, since time.Time) error {
	g.Suspended = since
	v, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("save grant: %w", err)
	}
	tx.Put(control.TableGrant, grantRow(k.id(), g.id()), v)
	return nil
}
