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
// moment. The identity is shared by all who ask.
func (s *Service) Identity(ctx context.Context, accessKeyID, sessionToken string) (
	who *gateway.Identity, err error,
) {
	if sessionToken != "" {
		return nil, unknownKey()
	}
	err = s.db.Peek(ctx, func(_ context.Context, tx *control.Tx) error {
		who, err = s.holders.Get(tx, accessKeyID, func() (*gateway.Identity, error) {
			return s.holder(tx, accessKeyID)
		})
		return err
	})
	return who, err
}

// holder reads whose an access key is.
func (s *Service) holder(tx *control.Tx, accessKeyID string) (*gateway.Identity, error) {
	row, err := loadKey(tx, accessKeyID)
	if err != nil {
		return nil, err
	}
	if row == nil || row.Status != active {
		return nil, unknownKey()
	}
	who := RootIdentity(row.Account)
	if row.User != "" {
		if who, err = s.userIdentity(tx, row); err != nil {
			return nil, err
		}
	}
	who.Secret = sigv4.NewSecret(row.Secret)
	who.Event.AccessKeyID = accessKeyID
	return who, nil
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
