package iam

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// Account is one account of this store.
type Account struct {
	ID      string // 12 digits
	Created time.Time
}

// CreateAccount makes an account with an access key of its root user: the only time
// its secret is shown. One that exists is an error of kind fault.Exists.
func (s *Service) CreateAccount(ctx context.Context, account string) (key AccessKey, err error) {
	made := false
	err = s.EnsureRoot(ctx, account, func(k AccessKey) error {
		key, made = k, true
		return nil
	})
	if err == nil && !made {
		err = fault.New(fault.Exists, "Account %s exists already.", account)
	}
	return key, err
}

// Accounts lists the accounts by their numbers.
func (s *Service) Accounts(ctx context.Context) (list []Account, err error) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableAccount, nil, func(_, v []byte) error {
			var row accountRow
			if err := json.Unmarshal(v, &row); err != nil {
				return fmt.Errorf("%w: account", store.ErrDamaged)
			}
			list = append(list, Account{row.Account, row.Created})
			return nil
		})
	})
	slices.SortFunc(list, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
}
