package kms

import (
	"context"

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
