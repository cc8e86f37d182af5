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

// CreateRootKey makes an access key of an account's root user, for who runs the store:
// nobody else can where its keys are lost. With replace all that it had end, and with
// them the sessions made by them. show is given the key before it is durable, as by
// EnsureRoot. Errors: fault.NotFound, fault.Exhausted at two keys.
func (s *Service) CreateRootKey(
	ctx context.Context, account string, replace bool, show func(AccessKey) error,
) (key AccessKey, err error) {
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		_, found, err := tx.Get(control.TableAccount, scope(tx, account))
		if err == nil && !found {
			err = fault.New(fault.NotFound, "Account %s does not exist.", account)
		}
		if err != nil {
			return err
		}
		had := 0
		err = eachRootKey(tx, account, func(id []byte, row *keyRow) {
			if had++; replace {
				tx.Delete(control.TableAccessKey, id)
				tx.Delete(control.TableIAMUse, id)
				tx.After(func() { s.uses.forget(row.ID) })
			}
		})
		if err == nil && !replace && had >= maxKeys {
			err = fault.New(fault.Exhausted, "The root user of account %s has %d access keys, the "+
				"most that it can have: have them replaced.", account, had)
		}
		if err != nil {
			return err
		}
		key = newAccessKey()
		if err := show(key); err != nil {
			return err
		}
		row := keyRow{ID: key.ID, Account: account, Secret: key.Secret.Reveal(),
			Status: active, Created: tx.Time()}
		return row.save(tx)
	})
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
