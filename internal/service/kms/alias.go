package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/store"
)

const (
	aliasPrefix    = "alias/"
	reservedPrefix = "alias/aws/"
)

// alias is a row of control.TableAlias: scope (16), MAC of the name (16).
type alias struct {
	Version int       `json:"v"`
	Name    string    `json:"name"` // with alias/
	Key     string    `json:"key"`  // id of the key in the same account and Region
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

func aliasARN(account, region, name string) string {
	return arn.New("kms", region, account, name).String()
}

func noAlias(account, region, name string) error {
	return notFound("Alias %s is not found.", aliasARN(account, region, name))
}

func aliasRow(m macs, account, region, name string) []byte {
	return append(scope(m, account, region), m.MAC("kms/alias", name)...)
}

// loadAlias reads an alias; nil means that there is none.
func loadAlias(tx *control.Tx, account, region, name string) (*alias, error) {
	v, ok, err := tx.Get(control.TableAlias, aliasRow(tx, account, region, name))
	if err != nil || !ok {
		return nil, err
	}
	return parseAlias(v)
}

func parseAlias(v []byte) (*alias, error) {
	a := &alias{}
	if err := decode(v, a); err != nil {
		return nil, fmt.Errorf("alias: %w", err)
	}
	if a.Version != rowVersion {
		return nil, fmt.Errorf("%w: alias %s", store.ErrDamaged, a.Name)
	}
	return a, nil
}

func (a *alias) save(tx *control.Tx, k *key) error {
	a.Version = rowVersion
	v, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("save alias: %w", err)
	}
	tx.Put(control.TableAlias, aliasRow(tx, k.Account, k.Region, a.Name), v)
	return nil
}

// attach names k by the alias as well.
func (s *Service) attach(tx *control.Tx, k *key, name string) error {
	if len(k.Aliases) >= s.cfg.MaxAliases {
		return overLimit("%s has %d aliases, the most that a key can have.", k.arn(),
			len(k.Aliases))
	}
	k.Aliases = append(slices.Clone(k.Aliases), name)
	slices.Sort(k.Aliases)
	return k.save(tx)
}

func (k *key) detach(tx *control.Tx, name string) error {
	k.Aliases = slices.DeleteFunc(slices.Clone(k.Aliases), func(a string) bool { return a == name })
	return k.save(tx)
}

// checkAliasName refuses names that no customer may give.
func checkAliasName(name string) error {
	rest, ok := strings.CutPrefix(name, aliasPrefix)
	if !ok || rest == "" || strings.ContainsRune(rest, ':') {
		return badAlias("Invalid alias name %s: it must begin with alias/ and have only letters, "+
			"digits, slashes, underscores and dashes.", name)
	}
	if strings.HasPrefix(name, reservedPrefix) || name+"/" == reservedPrefix {
		return badAlias("Invalid alias name %s: names that begin with alias/aws/ are reserved.",
			name)
	}
	return nil
}

// CreateAlias names a key of the caller's account.
func (s *Service) CreateAlias(ctx context.Context, in *kms.CreateAliasInput) (
	*kms.CreateAliasOutput, error,
) {
	return &kms.CreateAliasOutput{}, s.update(ctx, func(tx *control.Tx) error {
		if err := checkAliasName(in.AliasName); err != nil {
			return err
		}
		k, err := s.aliasTarget(ctx, tx, in.TargetKeyId)
		if err != nil {
			return err
		}
		old, err := loadAlias(tx, k.Account, k.Region, in.AliasName)
		if err != nil {
			return err
		}
		if old != nil {
			return exists("An alias with the name %s already exists",
				aliasARN(k.Account, k.Region, in.AliasName))
		}
		if err := s.attach(tx, k, in.AliasName); err != nil {
			return err
		}
		affected(ctx, k)
		a := alias{Name: in.AliasName, Key: k.ID, Created: tx.Time(), Updated: tx.Time()}
		return a.save(tx, k)
	})
}

// aliasTarget resolves a key that may get an alias.
func (s *Service) aliasTarget(ctx context.Context, tx *control.Tx, name string) (*key, error) {
	k, err := resolve(ctx, tx, name, ownKey)
	if err == nil {
		err = k.editable()
	}
	if err == nil {
		err = k.pending()
	}
	return k, err
}

// ownAlias finds a customer's alias and its key.
func ownAlias(ctx context.Context, tx *control.Tx, name string) (*alias, *key, error) {
	call := gateway.From(ctx)
	if err := checkAliasName(name); err != nil {
		return nil, nil, err
	}
	a, err := loadAlias(tx, call.Account, call.Region, name)
	if err != nil {
		return nil, nil, err
	}
	if a == nil {
		return nil, nil, noAlias(call.Account, call.Region, name)
	}
	k, err := byID(tx, call.Account, call.Region, a.Key)
	return a, k, err
}

// UpdateAlias lets an alias name another key of the same kind.
func (s *Service) UpdateAlias(ctx context.Context, in *kms.UpdateAliasInput) (
	*kms.UpdateAliasOutput, error,
) {
	return &kms.UpdateAliasOutput{}, s.update(ctx, func(tx *control.Tx) error {
		a, old, err := ownAlias(ctx, tx, in.AliasName)
		if err != nil {
			return err
		}
		k, err := s.aliasTarget(ctx, tx, in.TargetKeyId)
		if err != nil {
			return err
		}
		if k.Usage != old.Usage || (k.Spec == symmetric) != (old.Spec == symmetric) {
			return invalid("Alias %s cannot be changed to a key of another type or key usage.",
				aliasARN(k.Account, k.Region, a.Name))
		}
		if k.ID != old.ID {
			if err := old.detach(tx, a.Name); err != nil {
				return err
			}
			if err := s.attach(tx, k, a.Name); err != nil {
				return err
			}
		}
		affected(ctx, k)
		a.Key, a.Updated = k.ID, tx.Time()
		return a.save(tx, k)
	})
}

// DeleteAlias takes a name from its key.
func (s *Service) DeleteAlias(ctx context.Context, in *kms.DeleteAliasInput) (
	*kms.DeleteAliasOutput, error,
) {
	return &kms.DeleteAliasOutput{}, s.update(ctx, func(tx *control.Tx) error {
		a, k, err := ownAlias(ctx, tx, in.AliasName)
		if err != nil {
			return err
		}
		affected(ctx, k)
		tx.Delete(control.TableAlias, aliasRow(tx, k.Account, k.Region, a.Name))
		return k.detach(tx, a.Name)
	})
}

// ListAliases lists the aliases of the caller's account and Region, or of one
// of its keys, in an order that does not change.
func (s *Service) ListAliases(ctx context.Context, in *kms.ListAliasesInput) (
	*kms.ListAliasesOutput, error,
) {
	out := &kms.ListAliasesOutput{Aliases: []kms.AliasListEntry{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		call := gateway.From(ctx)
		only := ""
		if in.KeyId != "" {
			k, err := resolve(ctx, tx, in.KeyId, ownKey)
			if err != nil {
				return err
			}
			only = k.ID
		}
		p, err := newPage(tx, in.Marker, in.Limit, 50, 100,
			"aliases", call.Account, call.Region, only)
		if err != nil {
			return err
		}
		within := scope(tx, call.Account, call.Region)
		err = p.walk(control.TableAlias, within, func(_, value []byte) (bool, error) {
			a, err := parseAlias(value)
			if err != nil || only != "" && a.Key != only {
				return false, err
			}
			out.Aliases = append(out.Aliases, kms.AliasListEntry{
				AliasArn:  aliasARN(call.Account, call.Region, a.Name),
				AliasName: a.Name, TargetKeyId: a.Key,
				CreationDate: a.Created, LastUpdatedDate: a.Updated,
			})
			return true, nil
		})
		out.NextMarker, out.Truncated = p.marker()
		return err
	})
}
