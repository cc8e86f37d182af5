package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// aliasKey is a key of control.TableIAMAlias: MAC of an account's alias (16), of
// which no two accounts have the same. The row is the account's number.
func aliasKey(m macs, alias string) []byte { return m.MAC("iam/alias", alias) }

// CreateAccountAlias names the account instead of the name it has.
func (s *Service) CreateAccountAlias(ctx context.Context, in *api.CreateAccountAliasInput) (
	*api.CreateAccountAliasOutput, error,
) {
	return &api.CreateAccountAliasOutput{}, s.update(ctx, func(r *request) error {
		row, err := r.accountRow()
		if err != nil {
			return err
		}
		owner, taken, err := r.tx.Get(control.TableIAMAlias, aliasKey(r.tx, in.AccountAlias))
		if err != nil {
			return err
		}
		if taken && string(owner) != r.account() {
			return exists("The account alias %s already exists.", in.AccountAlias)
		}
		return r.setAlias(&row, in.AccountAlias)
	})
}

func (r *request) setAlias(row *accountRow, alias string) error {
	if row.Alias != "" {
		r.tx.Delete(control.TableIAMAlias, aliasKey(r.tx, row.Alias))
	}
	if row.Alias = alias; alias != "" {
		r.tx.Put(control.TableIAMAlias, aliasKey(r.tx, alias), []byte(r.account()))
	}
	return r.saveAccount(row)
}

// DeleteAccountAlias takes the name away.
func (s *Service) DeleteAccountAlias(ctx context.Context, in *api.DeleteAccountAliasInput) (
	*api.DeleteAccountAliasOutput, error,
) {
	return &api.DeleteAccountAliasOutput{}, s.update(ctx, func(r *request) error {
		row, err := r.accountRow()
		if err == nil && row.Alias != in.AccountAlias {
			err = notFound("The account alias %s cannot be found.", in.AccountAlias)
		}
		if err != nil {
			return err
		}
		return r.setAlias(&row, "")
	})
}

// ListAccountAliases lists the one alias that an account may have.
func (s *Service) ListAccountAliases(ctx context.Context, in *api.ListAccountAliasesInput) (
	*api.ListAccountAliasesOutput, error,
) {
	out := &api.ListAccountAliasesOutput{}
	return out, s.view(ctx, func(r *request) error {
		row, err := r.accountRow()
		if err != nil {
			return err
		}
		var list []string
		if row.Alias != "" {
			list = append(list, row.Alias)
		}
		p := paging{in.Marker, in.MaxItems, []string{"aliases", r.account()}}
		order := func(a string) string { return a }
		out.AccountAliases, out.IsTruncated, out.Marker, err = page(r.tx, p, list, order)
		return err
	})
}
