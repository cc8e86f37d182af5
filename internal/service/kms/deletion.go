package kms

import (
	"context"
	"time"

	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// The waiting period before a key is deleted, in days. The model's range is
// wider.
//
// Source: KMS API reference, ScheduleKeyDeletion.
const (
	minWindow   = 7
	usualWindow = 30
	maxWindow   = 30

	day = 24 * time.Hour
)

// sweptGrants bounds the grants that one unit of work deletes.
const sweptGrants = 500

// over reports whether the key's waiting period has ended.
func (k *key) over(now time.Time) bool {
	return k.State == statePending && !k.Deletes.IsZero() && !now.Before(k.Deletes)
}

// window gives the waiting period that a request asks for, in days.
func window(in *kms.ScheduleKeyDeletionInput) int32 {
	if in.PendingWindowInDays == nil {
		return usualWindow
	}
	return *in.PendingWindowInDays
}

// ScheduleKeyDeletion stops every use of a key, at once for data keys in memory,
// and deletes it with all that belongs to it when the waiting period ends.
func (s *Service) ScheduleKeyDeletion(ctx context.Context, in *kms.ScheduleKeyDeletionInput) (
	out *kms.ScheduleKeyDeletionOutput, err error,
) {
	days := window(in)
	err = s.change(ctx, in.KeyId, func(tx *control.Tx, k *key) error {
		if days < minWindow || days > maxWindow {
			return invalid("PendingWindowInDays must be between %d and %d", minWindow, maxWindow)
		}
		k.State, k.Deletes = statePending, tx.Time().Add(time.Duration(days)*day)
		s.fence(ctx, tx, k, fault.New(fault.KeyUnavailable, "%s is pending deletion.", k.arn()))
		out = &kms.ScheduleKeyDeletionOutput{
			KeyId: k.arn(), DeletionDate: k.Deletes, KeyState: k.State,
			PendingWindowInDays: &days,
		}
		return nil
	})
	return result(out, err)
}

// CancelKeyDeletion keeps a key that waits for its deletion. It is disabled then.
func (s *Service) CancelKeyDeletion(ctx context.Context, in *kms.CancelKeyDeletionInput) (
	out *kms.CancelKeyDeletionOutput, err error,
) {
	err = s.update(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err == nil {
			err = k.editable()
		}
		if err == nil && k.State != statePending {
			err = badState("%s is not pending deletion.", k.arn())
		}
		if err != nil {
			return err
		}
		k.State, k.Deletes = stateDisabled, time.Time{}
		s.recheck(tx, k) // those who wait for it are told another reason
		out = &kms.CancelKeyDeletionOutput{KeyId: k.arn()}
		return k.save(tx)
	})
	return result(out, err)
}

// deleteKey removes a key whose time is over: first its material and names, in
// one unit of work, then its grants, the last of them with the key's row. A
// process that ends in between goes on where it was.
func (s *Service) deleteKey(ctx context.Context, tx *control.Tx, k *key) (more bool, err error) {
	s.fence(ctx, tx, k, notFound("Key '%s' does not exist", k.arn()))
	id := k.id()
	if k.Material != "" {
		return true, s.deleteMaterial(tx, k)
	}
	n := 0
	err = tx.Scan(control.TableGrant, id[:], func(_, value []byte) error {
		if n++; n > sweptGrants {
			return control.ErrStop
		}
		g, err := parseGrant(value)
		if err != nil {
			return err
		}
		return g.remove(tx, k)
	})
	if err != nil || n > sweptGrants {
		return true, err
	}
	tx.Delete(control.TableKey, agendaRow(k.Due, id))
	tx.Delete(control.TableKey, keyRow(id))
	return false, nil
}

// deleteMaterial makes all that was encrypted under the key unreadable for good,
// and takes the key off all lists.
func (s *Service) deleteMaterial(tx *control.Tx, k *key) error {
	id := k.id()
	for _, t := range []control.Table{control.TableMaterial, control.TableRotation} {
		err := tx.Scan(t, id[:], func(row, _ []byte) error {
			tx.Delete(t, row)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range k.Aliases {
		tx.Delete(control.TableAlias, aliasRow(tx, k.Account, k.Region, name))
	}
	row := append([]byte{keyByScope}, scope(tx, k.Account, k.Region)...)
	tx.Delete(control.TableKey, append(row, id[:]...))
	tx.Delete(control.TableKeyUse, usedThing{key: id}.row())
	k.Aliases, k.Material = nil, ""
	if err := s.record(tx, k, "DeleteKey", map[string]any{"keyId": k.ID}); err != nil {
		return err
	}
	return k.save(tx)
}
