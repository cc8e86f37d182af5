package kms

import (
	"context"

	"github.com/google/uuid"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// CreateKey makes a key with its material. The caller's account owns it.
func (s *Service) CreateKey(ctx context.Context, in *kms.CreateKeyInput) (
	out *kms.CreateKeyOutput, err error,
) {
	err = s.update(ctx, func(tx *control.Tx) error {
		k, err := s.newKey(ctx, tx, in)
		if err != nil {
			return err
		}
		m, err := materialFor(ctx, k.Spec)
		if err != nil {
			return err
		}
		defer m.secret.Wipe()
		if k.Material, err = m.store(tx, k.id()); err != nil {
			return err
		}
		if err := k.enlist(tx); err != nil {
			return err
		}
		gateway.From(ctx).AddResource(keyType, k.Account, k.arn())
		out = &kms.CreateKeyOutput{KeyMetadata: k.metadata()}
		return nil
	})
	return out, err
}

// newKey checks the request and gives the key without its material.
func (s *Service) newKey(ctx context.Context, tx *control.Tx, in *kms.CreateKeyInput) (
	*key, error,
) {
	call := gateway.From(ctx)
	name, usage, err := chooseSpec(in.KeySpec, in.CustomerMasterKeySpec, in.KeyUsage)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Origin != "" && in.Origin != originKMS:
		return nil, unsupported("The origin %s is not implemented by Coffer.", in.Origin)
	case in.CustomKeyStoreId != "" || in.XksKeyId != "":
		return nil, unsupported("Custom key stores are not implemented by Coffer.")
	case in.MultiRegion != nil && *in.MultiRegion:
		return nil, unsupported("Multi-Region keys are not implemented by Coffer.")
	}
	k := &key{
		ID: uuid.NewString(), Account: call.Account, Region: call.Region, Created: tx.Time(),
		Description: text(in.Description), Spec: name, Usage: usage,
		Manager: managerCustomer, State: stateEnabled,
	}
	if k.Tags, err = addTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if in.Policy == "" {
		k.Policy = defaultPolicy(call.Account)
		return k, nil
	}
	return k, s.setPolicy(ctx, k, in.Policy, in.BypassPolicyLockoutSafetyCheck)
}

// ListKeys lists the keys of the caller's account and Region in the order of
// their ids.
func (s *Service) ListKeys(ctx context.Context, in *kms.ListKeysInput) (
	*kms.ListKeysOutput, error,
) {
	out := &kms.ListKeysOutput{Keys: []kms.KeyListEntry{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		call := gateway.From(ctx)
		p, err := newPage(tx, in.Marker, in.Limit, 100, 1000, "keys", call.Account, call.Region)
		if err != nil {
			return err
		}
		within := append([]byte{keyByScope}, scope(tx, call.Account, call.Region)...)
		err = p.walk(control.TableKey, within, func(id, _ []byte) (bool, error) {
			u, err := uuid.FromBytes(id)
			if err != nil {
				return false, err
			}
			k := key{ID: u.String(), Account: call.Account, Region: call.Region}
			out.Keys = append(out.Keys, kms.KeyListEntry{KeyId: k.ID, KeyArn: k.arn()})
			return true, nil
		})
		out.NextMarker, out.Truncated = p.marker()
		return err
	})
}
