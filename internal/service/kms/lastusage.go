package kms

import (
	"cmp"
	"context"
	"slices"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
)

// maxLookBack bounds the pages of events that are looked at for a use that a
// process before this one did not store.
const maxLookBack = 20

// tracked are the operations that count as use of a key and are built.
//
// Source: KMS API reference, KeyLastUsageData.
var tracked = []string{
	"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt",
}

// GetKeyLastUsage tells of the last successful use of a key.
func (s *Service) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput) (
	out *kms.GetKeyLastUsageOutput, err error,
) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err != nil {
			return err
		}
		since, u, err := s.lastUsage(ctx, tx, k)
		if err != nil {
			return err
		}
		out = &kms.GetKeyLastUsageOutput{
			KeyId: k.ID, KeyCreationDate: k.Created, TrackingStartDate: since,
			KeyLastUsage: &kms.KeyLastUsageData{},
		}
		if u == nil {
			return nil
		}
		event, err := s.ownEvent(ctx, k, u)
		out.KeyLastUsage = &kms.KeyLastUsageData{
			Operation: u.Operation, Timestamp: u.At, CloudTrailEventId: event,
			KmsRequestId: u.RequestID,
		}
		return err
	})
	return result(out, err)
}

// lastUsage gives the last use of a key, nil if none is known, and since when
// uses are known.
func (s *Service) lastUsage(ctx context.Context, tx *control.Tx, k *key) (
	since time.Time, u *keyUse, err error,
) {
	since = k.Created
	times, err := loadUsesStored(tx)
	if err != nil {
		return since, nil, err
	}
	if times != nil && times.Since.After(since) {
		since = times.Since
	}
	u, err = s.lastUse(tx, usedThing{key: k.id()})
	if err != nil || times == nil || u != nil && !u.At.Before(s.uses.beginning()) {
		return since, u, err
	}
	missed, err := s.lookBack(ctx, k, times.Until)
	if missed != nil && (u == nil || missed.At.After(u.At)) {
		u = missed
	}
	return since, u, err
}

// ownEvent gives the id of the event that the owner of a key has of its use by
// another account; empty when it is not on the trail any more.
func (s *Service) ownEvent(ctx context.Context, k *key, u *keyUse) (string, error) {
	if u.EventID != "" || s.cfg.Trail == nil {
		return u.EventID, nil
	}
	q := audit.Query{
		Account: k.Account, Region: k.Region, Attribute: "ResourceName", Value: k.arn(),
		From: u.At, To: u.At,
	}
	for range maxLookBack {
		events, next, err := s.cfg.Trail.Lookup(ctx, q)
		if err != nil {
			return "", err
		}
		for _, e := range events {
			if e.RequestID == u.RequestID {
				return e.EventID, nil
			}
		}
		if len(next) == 0 {
			break
		}
		q.After = next
	}
	return "", nil
}

// lookBack finds on the audit trail the last use of a key between the time up to
// which uses are stored and the beginning of this process: the one before may
// have been killed.
func (s *Service) lookBack(ctx context.Context, k *key, from time.Time) (*keyUse, error) {
	if s.cfg.Trail == nil {
		return nil, nil
	}
	q := audit.Query{
		Account: k.Account, Region: k.Region, Attribute: "ResourceName", Value: k.arn(),
		From: from, To: s.uses.beginning(),
	}
	for range maxLookBack {
		events, next, err := s.cfg.Trail.Lookup(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.ErrorCode == "" && slices.Contains(tracked, e.EventName) {
				return useOf(e), nil
			}
		}
		if len(next) == 0 {
			break
		}
		q.After = next
	}
	return nil, nil
}

func useOf(e *audit.Event) *keyUse {
	return &keyUse{
		At: e.EventTime, Operation: e.EventName, EventID: e.EventID, RequestID: e.RequestID,
		Who: cmp.Or(e.UserIdentity.ARN, e.UserIdentity.InvokedBy), Via: e.UserIdentity.InvokedBy,
	}
}
