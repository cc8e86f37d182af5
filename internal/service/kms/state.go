package kms

import (
	"context"
	"strings"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// EnableKey makes a disabled key usable again and lets brokers come back.
func (s *Service) EnableKey(ctx context.Context, in *kms.EnableKeyInput) (
	*kms.EnableKeyOutput, error,
) {
	return &kms.EnableKeyOutput{}, s.edit(ctx, in.KeyId, func(tx *control.Tx, k *key) error {
		k.State = stateEnabled
		s.recheck(tx, k)
		return nil
	})
}

// DisableKey stops every use of a key, at once for data keys in memory.
func (s *Service) DisableKey(ctx context.Context, in *kms.DisableKeyInput) (
	*kms.DisableKeyOutput, error,
) {
	return &kms.DisableKeyOutput{}, s.edit(ctx, in.KeyId, func(tx *control.Tx, k *key) error {
		if k.State == stateDisabled {
			return nil
		}
		k.State = stateDisabled
		s.fence(ctx, tx, k, fault.New(fault.KeyUnavailable, "%s is disabled.", k.arn()))
		return nil
	})
}

// Usable gives why nobody can use a key, from its state alone, and nil when somebody can.
// It is for holders of what rests on the key: who may use it is not asked.
func (s *Service) Usable(ctx context.Context, name string) error {
	return s.view(ctx, func(tx *control.Tx) error {
		a, err := arn.Parse(name)
		if err != nil {
			return badARN("Invalid arn %s", name)
		}
		k, err := byID(tx, a.Account, a.Region, strings.TrimPrefix(a.Resource, "key/"))
		if err != nil {
			return err
		}
		return k.usable()
	})
}
