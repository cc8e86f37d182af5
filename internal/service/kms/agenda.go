package kms

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/control"
)

// What happens to keys by the clock stands in an agenda: one row for each key
// that waits for something, under the time of it. The row of a key says at which
// time, so that saving the key keeps both together.

// sweepPage bounds the keys that Sweep looks up at once.
const sweepPage = 64

// due is the time at which something happens to the key; zero = never.
func (k *key) due() time.Time {
	switch {
	case k.State == statePending:
		return k.Deletes
	case k.State == stateEnabled && k.Rotation != nil:
		return k.Rotation.Next
	}
	return time.Time{}
}

// plan brings the agenda up to date with the key. Call it before the row is
// written.
func (k *key) plan(tx *control.Tx) {
	due := k.due()
	if due.Equal(k.Due) {
		return
	}
	if !k.Due.IsZero() {
		tx.Delete(control.TableKey, agendaRow(k.Due, k.id()))
	}
	if k.Due = due; !due.IsZero() {
		tx.Put(control.TableKey, agendaRow(due, k.id()), nil)
	}
}

func agendaRow(t time.Time, id keyID) []byte {
	row := binary.BigEndian.AppendUint64([]byte{keyByTime}, uint64(t.UnixNano()))
	return append(row, id[:]...)
}

// agendaKey gives the key of an agenda row.
func agendaKey(row []byte) (id keyID, err error) {
	if len(row) != 1+8+len(id) {
		return id, fmt.Errorf("agenda: row %x", row)
	}
	copy(id[:], row[9:])
	return id, nil
}

// Sweep does what is due by now: it deletes keys whose waiting period is over,
// and rotates those whose time has come.
// Each key is a unit of work of its own, or several where it has many grants; a
// key that fails does not keep the others. Call it at the start, before anything
// uses keys, and again every minute or so.
func (s *Service) Sweep(ctx context.Context) error {
	var errs []error
	for after := []byte(nil); ; {
		ids, last, err := s.dueKeys(ctx, after)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("sweep keys: %w", err))...)
		}
		for _, id := range ids {
			if err := s.act(ctx, id); err != nil {
				errs = append(errs, fmt.Errorf("sweep key %s: %w", uuid.UUID(id), err))
			}
		}
		if len(ids) < sweepPage || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		after = last
	}
}

// dueKeys gives a page of the keys for which something is due, behind a row.
func (s *Service) dueKeys(ctx context.Context, after []byte) (ids []keyID, last []byte, err error) {
	err = s.view(ctx, func(tx *control.Tx) error {
		lower := []byte{keyByTime}
		if after != nil {
			lower = append(append(lower[:0:0], after...), 0)
		}
		upper := agendaRow(tx.Time(), keyID{})
		for i := 9; i < len(upper); i++ {
			upper[i] = math.MaxUint8
		}
		return tx.Range(control.TableKey, lower, upper, func(row, _ []byte) error {
			if len(ids) == sweepPage {
				return control.ErrStop
			}
			id, err := agendaKey(row)
			ids, last = append(ids, id), row
			return err
		})
	})
	return ids, last, err
}

// act does what is due for one key.
func (s *Service) act(ctx context.Context, id keyID) error {
	for {
		if more, err := s.step(ctx, id); err != nil || !more {
			return err
		}
	}
}

// step is one unit of work of what is due for a key.
func (s *Service) step(ctx context.Context, id keyID) (more bool, err error) {
	err = s.update(ctx, func(tx *control.Tx) error {
		k, err := loadRow(tx, id)
		if err != nil || k == nil {
			return err
		}
		switch now := tx.Time(); {
		case k.over(now):
			more, err = s.deleteKey(ctx, tx, k)
		case k.rotationDue(now):
			err = s.rotateByClock(tx, k)
		}
		return err
	})
	return more, err
}

// record puts on the trail what happened to a key by the clock.
//
// Source: KMS Developer Guide, "DeleteKey" and "RotateKey" log entries.
func (s *Service) record(tx *control.Tx, k *key, name string, details map[string]any) error {
	if s.cfg.Trail == nil {
		return nil
	}
	const by = "AWS Internal"
	return s.cfg.Trail.Append(tx, &audit.Event{
		EventVersion: "1.08", EventID: uuid.NewString(), EventTime: tx.Time(),
		EventSource: "kms.amazonaws.com", EventName: name, EventType: "AwsServiceEvent",
		UserIdentity:    audit.Identity{AccountID: k.Account, InvokedBy: by},
		SourceIPAddress: by, UserAgent: by, AWSRegion: k.Region,
		Resources:       []audit.Resource{{AccountID: k.Account, Type: keyType, ARN: k.arn()}},
		ManagementEvent: true, EventCategory: "Management", RecipientAccountID: k.Account,
		ServiceEventDetails: details, ResponseElements: map[string]any{"keyId": k.arn()},
	})
}
