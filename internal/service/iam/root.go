package iam

import (
	"context"
	"fmt"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// EnsureRoot makes the account and an access key of its root user, unless the
// account exists. show is given the key before it is durable, so that a key
// can never exist that nobody was shown; its error stops the making.
func (s *Service) EnsureRoot(
	ctx context.Context, account string, show func(AccessKey) error,
) error {
	err := s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		_, found, err := tx.Get(control.TableAccount, scope(tx, account))
		if err != nil || found {
			return err
		}
		key := newAccessKey()
		if err := show(key); err != nil {
			return err
		}
		made := accountRow{Account: account, Created: tx.Time()}
		if err := put(tx, control.TableAccount, scope(tx, account), made); err != nil {
			return err
		}
		row := keyRow{ID: key.ID, Account: account, Secret: key.Secret.Reveal(),
			Created: tx.Time()}
		return row.save(tx)
	})
	if err != nil {
		return fmt.Errorf("root of account %s: %w", account, err)
	}
	return nil
}

// RootIdentity is the root user of an account, without a key.
func RootIdentity(account string) *gateway.Identity {
	p := policy.RootPrincipal(account)
	return &gateway.Identity{
		Principal: p,
		Event: audit.Identity{
			Type: "Root", PrincipalID: account, ARN: p.ARN, AccountID: account,
		},
	}
}
