package kms

import (
	"context"
	"time"

	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
)

// rotates changes the rotation of a customer's key that may have one.
func (s *Service) rotates(
	ctx context.Context, name string, fn func(*control.Tx, *key) error,
) error {
	return s.change(ctx, name, func(tx *control.Tx, k *key) error {
		if err := k.usable(); err != nil {
			return err
		}
		if err := k.rotatable(); err != nil {
			return err
		}
		return fn(tx, k)
	})
}

func (k *key) rotatable() error {
	if k.Spec != symmetric {
		return unsupported("%s key spec is %s which is not valid for this operation.", k.arn(),
			k.Spec)
	}
	return nil
}

// EnableKeyRotation begins automatic rotation, or changes its period: to a year
// where none is named. A period counts from now if rotation was off, else from
// the last rotation or from when it was enabled; what is over then is done at once.
func (s *Service) EnableKeyRotation(ctx context.Context, in *kms.EnableKeyRotationInput) (
	*kms.EnableKeyRotationOutput, error,
) {
	return &kms.EnableKeyRotationOutput{}, s.rotates(ctx, in.KeyId,
		func(tx *control.Tx, k *key) error {
			from, days := tx.Time(), int32(usualPeriod)
			if r := k.Rotation; r != nil {
				from = r.Next.Add(-time.Duration(r.Days) * day)
			}
			if in.RotationPeriodInDays != nil {
				days = *in.RotationPeriodInDays // within AWS's bounds by the model
			}
			affected(ctx, k)
			k.Rotation = &rotation{Days: days, Next: from.Add(time.Duration(days) * day)}
			return nil
		})
}

// DisableKeyRotation ends automatic rotation.
func (s *Service) DisableKeyRotation(ctx context.Context, in *kms.DisableKeyRotationInput) (
	*kms.DisableKeyRotationOutput, error,
) {
	return &kms.DisableKeyRotationOutput{}, s.rotates(ctx, in.KeyId,
		func(_ *control.Tx, k *key) error {
			affected(ctx, k)
			k.Rotation = nil
			return nil
		})
}

// RotateKeyOnDemand rotates a key now, whatever its automatic rotation does.
func (s *Service) RotateKeyOnDemand(ctx context.Context, in *kms.RotateKeyOnDemandInput) (
	out *kms.RotateKeyOnDemandOutput, err error,
) {
	err = s.rotates(ctx, in.KeyId, func(tx *control.Tx, k *key) error {
		if k.OnDemand >= maxOnDemand {
			return overLimit("%s was rotated %d times on demand, the most that is allowed.",
				k.arn(), k.OnDemand)
		}
		k.OnDemand++
		out = &kms.RotateKeyOnDemandOutput{KeyId: k.ID}
		return s.rotate(tx, k, rotationOnDemand)
	})
	return result(out, err)
}

// GetKeyRotationStatus tells of the automatic rotation of a key. A key that
// waits for its deletion is not rotated; a key that cannot be rotated never is.
func (s *Service) GetKeyRotationStatus(ctx context.Context, in *kms.GetKeyRotationStatusInput) (
	out *kms.GetKeyRotationStatusOutput, err error,
) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, anyKey)
		if err != nil {
			return err
		}
		on := k.Rotation != nil && k.State != statePending
		out = &kms.GetKeyRotationStatusOutput{KeyId: k.ID, KeyRotationEnabled: &on}
		if on {
			out.RotationPeriodInDays, out.NextRotationDate = &k.Rotation.Days, k.Rotation.Next
		}
		return nil
	})
	return result(out, err)
}

// ListKeyRotations lists the rotations of a key, the oldest first; if it is asked
// to, also the first material, which no rotation made.
func (s *Service) ListKeyRotations(ctx context.Context, in *kms.ListKeyRotationsInput) (
	*kms.ListKeyRotationsOutput, error,
) {
	out := &kms.ListKeyRotationsOutput{Rotations: []kms.RotationsListEntry{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err == nil {
			err = k.rotatable()
		}
		if err != nil {
			return err
		}
		all := in.IncludeKeyMaterial == "ALL_KEY_MATERIAL"
		p, err := newPage(tx, in.Marker, in.Limit, 100, 1000, "rotations", k.ID, truth(&all))
		if err != nil {
			return err
		}
		if all && k.Rotations == 0 {
			out.Rotations = append(out.Rotations, k.turned(&turn{Material: k.Material}, all))
		}
		id := k.id()
		err = p.walk(control.TableRotation, id[:], func(_, value []byte) (bool, error) {
			r, err := parseTurn(value)
			if err != nil || r.Type == "" && !all {
				return false, err
			}
			out.Rotations = append(out.Rotations, k.turned(r, all))
			return true, nil
		})
		out.NextMarker, out.Truncated = p.marker()
		return err
	})
}

// turned is how a listing shows a rotation. The state of its material is shown
// where all material is asked for.
func (k *key) turned(r *turn, all bool) kms.RotationsListEntry {
	e := kms.RotationsListEntry{
		KeyId: k.ID, KeyMaterialId: r.Material, RotationDate: r.Date, RotationType: r.Type,
	}
	if all {
		e.KeyMaterialState = "NON_CURRENT"
		if r.Material == k.Material {
			e.KeyMaterialState = "CURRENT"
		}
	}
	return e
}
