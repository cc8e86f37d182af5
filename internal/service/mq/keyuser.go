package mq

import (
	"context"
	"fmt"

	"coffer/internal/control"
)

// KeyUser is a broker, as far as its KMS key goes.
type KeyUser struct {
	ID, Name, Account, Region string // b-…
	State                     State
	Volumes                   []string // the values of aws:ebs:id in its uses of the key
	Grants                    []string // ids of the grants that it rests on
}

// KeyUsers gives the brokers that are sealed under a KMS key, in the order of
// their ids, in the unit of work of ctx if there is one.
func (s *Service) KeyUsers(ctx context.Context, key string) (list []KeyUser, err error) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableMQ, nil, func(_, value []byte) error {
			b, err := decodeRow(value)
			if err != nil || b.Key != key {
				return err
			}
			u := KeyUser{
				ID: b.brokerID(), Name: b.Name, Account: b.Account, Region: b.Region,
				State: s.engine.State(b.ID), Grants: b.grantIDs(),
			}
			for _, v := range b.Volumes {
				u.Volumes = append(u.Volumes, v.ID)
			}
			list = append(list, u)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("brokers of key %s: %w", key, err)
	}
	return list, nil
}
