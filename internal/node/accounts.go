package node

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/service/coffer"
	"coffer/internal/service/iam"
	"coffer/internal/service/kms"
)

// accounts is IAM as Coffer's own API reaches it.
type accounts struct {
	iam *iam.Service
	// show writes the operator's own key where clients find it.
	show func(iam.AccessKey) error
}

var _ coffer.Accounts = accounts{}

// CreateAccount is [coffer.Accounts]'s.
func (a accounts) CreateAccount(ctx context.Context, id string) (
	accessKeyID, secret string, err error,
) {
	if id == kms.OwnedAccount {
		return "", "", fault.New(fault.Invalid,
			"Account %s is taken: keys that AWS owns belong to it.", id)
	}
	key, err := a.iam.CreateAccount(ctx, id)
	return key.ID, key.Secret.Reveal(), err
}

// CreateRootKey is [coffer.Accounts]'s.
func (a accounts) CreateRootKey(ctx context.Context, id string, replace bool) (
	accessKeyID, secret string, err error,
) {
	show := func(iam.AccessKey) error { return nil }
	if id == Account {
		show = a.show
	}
	key, err := a.iam.CreateRootKey(ctx, id, replace, show)
	return key.ID, key.Secret.Reveal(), err
}

// ListAccounts is [coffer.Accounts]'s.
func (a accounts) ListAccounts(ctx context.Context) ([]coffer.Account, error) {
	list, err := a.iam.Accounts(ctx)
	var out []coffer.Account
	for _, one := range list {
		out = append(out, coffer.Account(one))
	}
	return out, err
}

// AccountConfig says on which directory to work: by way of the process that runs
// there, with the credentials that lie beside the data, else alone, which takes the
// root key. Who can read those files can do all of it anyway; nothing else is open.
type AccountConfig struct {
	Config
	// Account is 12 digits.
	Account string
	// Replace ends the keys that a root user had.
	Replace bool
}

// NewAccount is an account with a key of its root user, which is not shown again.
type NewAccount struct {
	Account         string
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
}

// CreateAccount makes an account. Errors: fault.Invalid, fault.Exists (also as
// fault.Conflict), fault.Unavailable.
func CreateAccount(ctx context.Context, cfg AccountConfig) (*NewAccount, error) {
	var out *api.CreateAccountOutput
	err := onAPI(ctx, &cfg.Config, func(c api.Client) (err error) {
		out, err = c.CreateAccount(ctx, &api.CreateAccountInput{AccountId: cfg.Account})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &NewAccount{out.AccountId, out.AccessKeyId, out.SecretAccessKey}, nil
}

// CreateRootKey makes an access key of an account's root user. Errors: fault.Invalid,
// fault.NotFound, fault.Exhausted at two keys, fault.Unavailable.
func CreateRootKey(ctx context.Context, cfg AccountConfig) (*NewAccount, error) {
	if err := dataDirectory(&cfg.Config); err != nil {
		return nil, err
	}
	var out *api.CreateRootAccessKeyOutput
	err := onAPI(ctx, &cfg.Config, func(c api.Client) (err error) {
		out, err = c.CreateRootAccessKey(ctx, &api.CreateRootAccessKeyInput{
			AccountId: cfg.Account, Replace: &cfg.Replace,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &NewAccount{out.AccountId, out.AccessKeyId, out.SecretAccessKey}, nil
}

// AccountInfo is an account in a list.
type AccountInfo struct {
	Account   string
	CreatedAt time.Time
}

// ListAccounts lists the accounts by their numbers.
func ListAccounts(ctx context.Context, cfg AccountConfig) ([]AccountInfo, error) {
	list := []AccountInfo{}
	if err := dataDirectory(&cfg.Config); err != nil {
		return nil, err
	}
	err := onAPI(ctx, &cfg.Config, func(c api.Client) error {
		out, err := c.ListAccounts(ctx, &api.ListAccountsInput{})
		if err != nil {
			return err
		}
		for _, a := range out.Accounts {
			list = append(list, AccountInfo{a.AccountId, a.CreatedAt})
		}
		return nil
	})
	return list, err
}

// dataDirectory refuses a directory that is none, where one would be made.
func dataDirectory(cfg *Config) error {
	set(&cfg.Data, "./coffer-data")
	_, err := os.Stat(filepath.Join(cfg.Data, dirStore))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid,
			"%s is no data directory of coffer: name it with --data", cfg.Data)
	}
	return nil
}

// onAPI gives fn Coffer's own API: of the process that runs on the directory, else
// within this one, which then has the directory to itself and opens no doors.
func onAPI(ctx context.Context, cfg *Config, fn func(api.Client) error) error {
	cfg.Logger = slog.New(slog.DiscardHandler)
	if err := cfg.fill(); err != nil {
		return err
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return err
	}
	client, err := dialAPI(ctx, data)
	if err == nil {
		return errors.Join(fn(api.Client{Caller: client}), client.close())
	}
	if fault.KindOf(err) != fault.Unavailable {
		return err
	}
	return alone(ctx, cfg, func(n *Node) error {
		return fn(api.Client{Caller: &gateway.Caller{
			Gateway: n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
			Account: Account, Region: Region,
		}})
	}, (*Node).openServices)
}
