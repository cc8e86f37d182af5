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
			if k != nil && k.State == statePending {
				list = append(list, Deletion{k.arn(), k.Deletes, k.Grants})
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keys to be deleted: %w", err)
	}
	return list, nil
}
