package iam

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"coffer/internal/control"
	"coffer/internal/store"
)

// usage is how an entity uses a managed policy; its letter stands in store keys.
type usage byte

// The usages.
const (
	asPermissions usage = 'a'
	asBoundary    usage = 'b'
)

// linkPrefix begins the keys of control.TableIAMLink that tell who uses a policy:
// MAC of the account (16), usage, MAC of the policy's ARN (16), kind, unique id.
// The rows are empty.
func linkPrefix(m macs, account string, u usage, policy string) []byte {
	return append(append(scope(m, account), byte(u)), m.MAC("iam/policy", policy)...)
}

func (e *entity) linkKey(m macs, u usage, policy string) []byte {
	return append(append(linkPrefix(m, e.Account, u, policy), byte(e.Kind)), e.ID...)
}

// users lists who uses a policy, in the order of kind and name.
func users(tx *control.Tx, account string, u usage, policy string) ([]*entity, error) {
	prefix := linkPrefix(tx, account, u, policy)
	return linked(tx, account, prefix, func(rest []byte) (kind, string) {
		return kind(rest[0]), string(rest[1:])
	})
}

// linked reads the entities that the keys of links under a prefix name.
func linked(
	tx *control.Tx, account string, prefix []byte, name func(rest []byte) (kind, string),
) (list []*entity, err error) {
	err = tx.Scan(control.TableIAMLink, prefix, func(id, _ []byte) error {
		k, unique := name(bytes.TrimPrefix(id, prefix))
		e, err := existing(tx, account, k, unique)
		list = append(list, e)
		return err
	})
	slices.SortFunc(list, byOrder)
	return list, err
}

func byOrder(a, b *entity) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.order(), b.order()))
}

// existing is byID for what another row names.
func existing(tx *control.Tx, account string, k kind, id string) (*entity, error) {
	e, err := byID(tx, account, k, id)
	if err == nil && e == nil {
		err = fmt.Errorf("%w: IAM %s %s is named and not there", store.ErrDamaged,
			kinds[k].noun, id)
	}
	return e, err
}
