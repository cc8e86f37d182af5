package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/store"
)

// maxKeys is AWS's quota of access keys of one user, and of the root user.
const maxKeys = 2

const (
	active   = "Active"
	inactive = "Inactive"
)

// AccessKey is a new access key: the only time its secret is shown.
type AccessKey struct {
	ID     string // AKIA and 16 letters and digits
	Secret sigv4.Secret
}

// keyRow is a row of control.TableAccessKey: MAC of the key's id (16).
type keyRow struct {
	ID      string    `json:"id,omitempty"` // missing in old rows of root users
	Account string    `json:"account"`
	User    string    `json:"user,omitempty"` // unique id; none for the root user
	Secret  string    `json:"secret"`
	Status  string    `json:"status,omitempty"` // none means Active
	Created time.Time `json:"created"`
}

func newAccessKey() AccessKey {
	id, secret := make([]byte, 10), make([]byte, 30)
	rand.Read(id) // crypto/rand never fails: it ends the process instead
	rand.Read(secret)
	return AccessKey{
		ID:     "AKIA" + base32.StdEncoding.EncodeToString(id),
		Secret: sigv4.NewSecret(base64.StdEncoding.EncodeToString(secret)),
	}
}

func keyKey(m macs, id string) []byte { return m.MAC("iam/access-key", id) }

func (k *keyRow) save(tx *control.Tx) error {
	return put(tx, control.TableAccessKey, keyKey(tx, k.ID), k)
}

// loadKey reads an access key; nil means that there is none.
func loadKey(tx *control.Tx, id string) (*keyRow, error) {
	v, ok, err := tx.Get(control.TableAccessKey, keyKey(tx, id))
	if err != nil || !ok {
		return nil, err
	}
	row, err := parseKey(v)
	if row != nil {
		row.ID = id
	}
	return row, err
}

func parseKey(v []byte) (*keyRow, error) {
	row := &keyRow{}
	if err := json.Unmarshal(v, row); err != nil {
		return nil, fmt.Errorf("%w: access key", store.ErrDamaged) // its text may show a secret
	}
	row.Status = cmp.Or(row.Status, active)
	return row, nil
}

// holder is whose access keys a request is about: a user or, with a nil entity,
// the account's root user.
func (r *request) holder(name string) (*entity, error) {
	if name == "" && r.call.Principal.Kind == policy.Root {
		return nil, nil
	}
	return r.user(name)
}

// keys lists the access keys of a holder, oldest first.
func (r *request) keys(user *entity) ([]*keyRow, error) {
	if user == nil {
		return r.rootKeys()
	}
	list := make([]*keyRow, 0, len(user.User.Keys))
	for _, id := range user.User.Keys {
		row, err := loadKey(r.tx, id)
		if err != nil {
			return nil, err
		}
		if row == nil || row.User != user.ID {
			return nil, fmt.Errorf("%w: access keys of user %s", store.ErrDamaged, user.ID)
		}
		list = append(list, row)
	}
	return list, nil
}

// eachRootKey finds the keys of an account's root user. There is no list of them, and
// they are asked for rarely. Old rows have no ID.
func eachRootKey(tx *control.Tx, account string, fn func(id []byte, row *keyRow)) error {
	return tx.Scan(control.TableAccessKey, nil, func(id, v []byte) error {
		row, err := parseKey(v)
		if err == nil && row.Account == account && row.User == "" {
			fn(id, row)
		}
		return err
	})
}

// rootKeys lists the keys of the root user that have an ID.
func (r *request) rootKeys() (list []*keyRow, err error) {
	err = eachRootKey(r.tx, r.account(), func(_ []byte, row *keyRow) {
		if row.ID != "" {
			list = append(list, row)
		}
	})
	slices.SortFunc(list, func(a, b *keyRow) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// key finds one access key of a holder.
func (r *request) key(user, id string) (*entity, *keyRow, error) {
	e, err := r.holder(user)
	if err != nil {
		return nil, nil, err
	}
	row, err := loadKey(r.tx, id)
	if err != nil {
		return nil, nil, err
	}
	owner := ""
	if e != nil {
		owner = e.ID
	}
	if row == nil || row.Account != r.account() || row.User != owner {
		return nil, nil, notFound("The Access Key with id %s cannot be found.", id)
	}
	return e, row, nil
}

// CreateAccessKey makes an access key; only this answer shows its secret.
func (s *Service) CreateAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (
	*api.CreateAccessKeyOutput, error,
) {
	out := &api.CreateAccessKeyOutput{}
	return out, s.update(ctx, func(r *request) error {
		e, err := r.holder(in.UserName)
		if err != nil {
			return err
		}
		list, err := r.keys(e)
		if err != nil {
			return err
		}
		if len(list) >= maxKeys {
			return overQuota("AccessKeysPerUser", maxKeys)
		}
		key := newAccessKey()
		row := &keyRow{ID: key.ID, Account: r.account(), Secret: key.Secret.Reveal(),
			Status: active, Created: r.tx.Time()}
		out.AccessKey = &api.AccessKey{
			AccessKeyId: key.ID, CreateDate: shownTime(row.Created), SecretAccessKey: row.Secret,
			Status: active,
		}
		if e != nil {
			row.User, out.AccessKey.UserName = e.ID, e.Name
			e.User.Keys = append(slices.Clone(e.User.Keys), key.ID)
			if err := e.save(r.tx); err != nil {
				return err
			}
		}
		return row.save(r.tx)
	})
}

// ListAccessKeys lists a user's access keys, the oldest first.
func (s *Service) ListAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (
	*api.ListAccessKeysOutput, error,
) {
	out := &api.ListAccessKeysOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.holder(in.UserName)
		if err != nil {
			return err
		}
		list, err := r.keys(e)
		if err != nil {
			return err
		}
		owner, name := r.account(), ""
		if e != nil {
			owner, name = e.ID, e.Name
		}
		p := paging{in.Marker, in.MaxItems, []string{"access keys", owner}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, (*keyRow).order)
		out.AccessKeyMetadata = convert(list, func(k *keyRow) api.AccessKeyMetadata {
			return api.AccessKeyMetadata{
				AccessKeyId: k.ID, CreateDate: shownTime(k.Created), Status: k.Status,
				UserName: name,
			}
		})
		return err
	})
}

func (k *keyRow) order() string { return k.Created.UTC().Format(time.RFC3339Nano) + k.ID }

// UpdateAccessKey makes a key active or inactive.
func (s *Service) UpdateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (
	*api.UpdateAccessKeyOutput, error,
) {
	return &api.UpdateAccessKeyOutput{}, s.update(ctx, func(r *request) error {
		if in.Status != active && in.Status != inactive {
			return invalid("Value '%s' at 'status' failed to satisfy constraint: Member must "+
				"satisfy enum value set: [Active, Inactive]", in.Status)
		}
		_, row, err := r.key(in.UserName, in.AccessKeyId)
		if err != nil {
			return err
		}
		row.Status = in.Status
		return row.save(r.tx)
	})
}

// DeleteAccessKey deletes a key.
func (s *Service) DeleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (
	*api.DeleteAccessKeyOutput, error,
) {
	return &api.DeleteAccessKeyOutput{}, s.update(ctx, func(r *request) error {
		e, row, err := r.key(in.UserName, in.AccessKeyId)
		if err != nil {
			return err
		}
		r.tx.Delete(control.TableAccessKey, keyKey(r.tx, row.ID))
		r.tx.Delete(control.TableIAMUse, keyKey(r.tx, row.ID))
		r.tx.After(func() { s.uses.forget(row.ID) })
		if e == nil {
			return nil
		}
		e.User.Keys = slices.DeleteFunc(slices.Clone(e.User.Keys), func(id string) bool {
			return id == row.ID
		})
		return e.save(r.tx)
	})
}
