package sqs

import (
	"context"
	"fmt"
	"slices"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// maxDropped bounds the data keys that one unit of work removes.
const maxDropped = 1000

// SweepKeys removes the data keys of customers' KMS keys under which no message is left,
// and gives their number, while everything goes on. One call at a time; rest is
// [broker.Core.DataKeys]'s. It is exact, also across a crash, for a key goes in this order:
//
//   - No queue seals with it, and none can choose it any more.
//   - Whoever sealed with it before has stored what he sealed, or failed.
//   - No message in the broker has it, wherever dead letters and moves took them.
//
// Its row then goes in a unit of work. A crash before leaves it for the next sweep.
func (s *Service) SweepKeys(ctx context.Context, rest control.Rest) (n int, err error) {
	all := s.customersKeys()
	// The queues are looked up behind the keys: who made one of these, and has not chosen it
	// yet, is a queue that is there, or was deleted.
	places, err := s.places()
	if err != nil {
		return 0, err
	}
	idle := retireKeys(all, places)
	if len(idle) == 0 {
		return 0, nil
	}
	realms := map[seal.DomainID]struct{}{}
	for id := range idle {
		realms[id.Domain] = struct{}{}
	}
	awaitSends(places, realms)
	used, err := s.core.DataKeys(ctx, func(id seal.DomainID) bool {
		_, ok := realms[id]
		return ok
	}, rest)
	if err != nil {
		return 0, fmt.Errorf("find unused data keys: %w", err)
	}
	var unused []*dataKey
	for id, k := range idle {
		if _, ok := used[id]; !ok {
			unused = append(unused, k)
		}
	}
	for list := range slices.Chunk(unused, maxDropped) {
		if err := s.dropKeys(ctx, list); err != nil {
			return n, fmt.Errorf("remove data keys: %w", err)
		}
		n += len(list)
	}
	return n, nil
}

// customersKeys gives the data keys that rest on customers' KMS keys.
func (s *Service) customersKeys() (list []*dataKey) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		if k.customers() {
			list = append(list, k)
		}
	}
	return list
}

// retireKeys gives those data keys that no queue seals with, and lets none choose them again.
func retireKeys(all []*dataKey, places map[string]*place) map[broker.DataKeyID]*dataKey {
	idle := map[broker.DataKeyID]*dataKey{}
	for _, k := range all {
		if p := places[k.row().Context]; p == nil {
			k.retire(idle)
		} else {
			p.renewing.Lock()
			k.retire(idle)
			p.renewing.Unlock()
		}
	}
	return idle
}

func (k *dataKey) retire(idle map[broker.DataKeyID]*dataKey) {
	if k.realm.retire(k) {
		idle[broker.DataKeyID{Domain: k.realm.id, Number: k.row().Number}] = k
	}
}

// places gives where queues are in the broker, by their ARNs. While one is not open nobody
// sees which keys its messages have.
func (s *Service) places() (map[string]*place, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	places := map[string]*place{}
	for _, q := range s.queues {
		p := q.place.Load()
		if p == nil {
			return nil, fault.New(fault.Unavailable, "queue %s is not open", q.id)
		}
		places[q.arn()] = p
	}
	return places, nil
}

// awaitSends returns when what is being sent to queues of some realms has been stored, or
// failed. Queues that were made meanwhile have none of their keys.
func awaitSends(places map[string]*place, realms map[seal.DomainID]struct{}) {
	for _, p := range places {
		if _, ok := realms[p.sealer.ID()]; ok {
			p.sends.Lock()
			p.sends.Unlock()
		}
	}
}

// dropKeys removes data keys in one unit of work.
func (s *Service) dropKeys(ctx context.Context, list []*dataKey) error {
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		for _, k := range list {
			tx.Delete(control.TableSQSKey, keyID(tx, k.row()))
		}
		tx.After(func() {
			for _, k := range list {
				s.forgetKey(k)
			}
		})
		return nil
	})
}
