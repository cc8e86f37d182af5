package kms

import (
	"context"
	"fmt"
	"time"

	"coffer/internal/control"
)

// A Deletion is a key that waits for its end.
type Deletion struct {
	ARN    string
	At     time.Time
	Grants int // that are left on it
}

// maxDeletions bounds what Deletions looks at: keys for which something is due within
// the longest waiting period, in the order of time.
const maxDeletions = 10000

// Deletions lists the keys that are to be deleted, the next one first, in the unit of
// work of ctx if there is one.
func (s *Service) Deletions(ctx context.Context) (list []Deletion, err error) {
	err = s.view(ctx, func(tx *control.Tx) error {
		var ids []keyID
		latest := tx.Time().Add((maxWindow + 1) * day)
		err := tx.Range(control.TableKey, []byte{keyByTime}, agendaRow(latest, keyID{}),
			func(row, _ []byte) error {
				if len(ids) == maxDeletions {
					return control.ErrStop
				}
				id, err := agendaKey(row)
				ids = append(ids, id)
				return err
			})
		for _, id := range ids {
			var k *key
			if err == nil {
				k, err = load(tx, id)
			}
			if d, ok := k.deletion(); ok {
				list = append(list, d)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keys to be deleted: %w", err)
	}
	return list, nil
}

// ParseDeletion reads a row of [control.TableKey] of a stopped store; ok is false of any
// that is not of such a key, also of one that cannot be read.
func ParseDeletion(id, value []byte) (d Deletion, ok bool) {
	k := &key{}
	if len(id) == 0 || id[0] != keyByID || decode(value, k) != nil {
		return d, false
	}
	return k.deletion()
}

// deletion gives the end of a key, if it waits for one; k may be nil.
func (k *key) deletion() (d Deletion, ok bool) {
	if k == nil || k.State != statePending {
		return d, false
	}
	return Deletion{k.arn(), k.Deletes, k.Grants}, true
}
