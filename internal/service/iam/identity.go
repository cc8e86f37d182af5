package iam

import (
	"context"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// unknownKey is answered for a key that nobody has, alike for one that is
// inactive: who has only the id must not learn which it is.
func unknownKey() error {
	return fault.New(fault.Unauthenticated,
		"The security token included in the request is invalid.")
}

// Identity finds the holder of an access key, with the policies that hold at this
// moment.
func (s *Service) Identity(ctx context.Context, accessKeyID, sessionToken string) (
	who *gateway.Identity, err error,
) {
	err = s.db.Peek(ctx, func(_ context.Context, tx *control.Tx) error {
		row, err := loadKey(tx, accessKeyID)
		if err != nil {
			return err
		}
		if row == nil || row.Status != active || sessionToken != "" {
			return unknownKey()
		}
		if row.User == "" {
			who = RootIdentity(row.Account)
		} else if who, err = s.userIdentity(tx, row); err != nil {
			return err
		}
		who.Secret = sigv4.NewSecret(row.Secret)
		who.Event.AccessKeyID = accessKeyID
		return nil
	})
	return who, err
}

func (s *Service) userIdentity(tx *control.Tx, row *keyRow) (*gateway.Identity, error) {
	e, err := existing(tx, row.Account, userKind, row.User)
	if err != nil {
		return nil, err
	}
	set, err := s.policiesOf(tx, e)
	if err != nil {
		return nil, err
	}
	return &gateway.Identity{
		Principal: policy.Principal{
			Kind: policy.User, Account: e.Account, ARN: e.arn(), Name: e.Name, UserID: e.ID,
		},
		Policies: set.Identity, Boundary: set.Boundary, Tags: set.Tags,
		Event: audit.Identity{
			Type: "IAMUser", PrincipalID: e.ID, ARN: e.arn(), AccountID: e.Account,
			UserName: e.Name,
		},
	}, nil
}
