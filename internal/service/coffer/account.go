package coffer

import (
	"context"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Account is one account of this store.
type Account struct {
	ID      string // 12 digits
	Created time.Time
}

// Accounts makes and lists accounts.
type Accounts interface {
	// CreateAccount makes an account and gives an access key of its root user, whose
	// secret is not shown again. One that exists is an error of kind fault.Exists,
	// one that cannot be is of kind fault.Invalid.
	CreateAccount(ctx context.Context, id string) (accessKeyID, secret string, err error)
	// CreateRootKey makes another access key of an account's root user; with replace the
	// others end. Errors: fault.NotFound, fault.Exhausted.
	CreateRootKey(ctx context.Context, id string, replace bool) (
		accessKeyID, secret string, err error)
	// ListAccounts lists them by their numbers.
	ListAccounts(ctx context.Context) ([]Account, error)
}

// CreateAccount makes an account; only this answer shows the key of its root user.
func (s *Service) CreateAccount(ctx context.Context, in *api.CreateAccountInput) (
	*api.CreateAccountOutput, error,
) {
	id, secret, err := s.accounts.CreateAccount(ctx, in.AccountId)
	if fault.KindOf(err) == fault.Exists {
		return nil, &api.AccountExistsException{Message: text(err)}
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateAccountOutput{
		AccountId: in.AccountId, AccessKeyId: id, SecretAccessKey: secret,
	}, nil
}

// CreateRootAccessKey makes an access key of an account's root user, whose own are lost
// or known to somebody else. The account has it on record, too.
func (s *Service) CreateRootAccessKey(ctx context.Context, in *api.CreateRootAccessKeyInput) (
	*api.CreateRootAccessKeyOutput, error,
) {
	id, secret, err := s.accounts.CreateRootKey(ctx, in.AccountId, wire.Or(in.Replace, false))
	switch fault.KindOf(err) {
	case fault.NotFound:
		return nil, &api.AccountNotFoundException{Message: text(err)}
	case fault.Exhausted:
		return nil, &api.LimitExceededException{Message: text(err)}
	}
	if err != nil {
		return nil, err
	}
	root := policy.RootPrincipal(in.AccountId)
	gateway.From(ctx).AddResource("AWS::Account", in.AccountId, root.ARN)
	return &api.CreateRootAccessKeyOutput{
		AccountId: in.AccountId, AccessKeyId: id, SecretAccessKey: secret,
	}, nil
}

// ListAccounts lists the accounts by their numbers.
func (s *Service) ListAccounts(ctx context.Context, _ *api.ListAccountsInput) (
	*api.ListAccountsOutput, error,
) {
	list, err := s.accounts.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	out := &api.ListAccountsOutput{Accounts: []api.Account{}}
	for _, a := range list {
		out.Accounts = append(out.Accounts, api.Account{AccountId: a.ID, CreatedAt: a.Created})
	}
	return out, nil
}
