package mq

import (
	"context"
	"errors"
	"fmt"

	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// DeleteBroker retires the broker's grants, destroys its key and, once that is
// durable, ends its connections. It works whatever became of the KMS key.
func (s *Service) DeleteBroker(ctx context.Context, in *api.DeleteBrokerInput) (
	*api.DeleteBrokerOutput, error,
) {
	call := gateway.From(ctx)
	b, err := s.find(ctx, call.Account, call.Region, in.BrokerId)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		if err := s.retireAll(ctx, b); err != nil {
			return err
		}
		if err := s.engine.Delete(ctx, b.ID); err != nil {
			return fmt.Errorf("delete broker %s: %w", b.brokerID(), err)
		}
		tx.Delete(control.TableMQ, b.ID[:])
		tx.Delete(control.TableMQIndex, nameIndex(tx, b.Account, b.Region, b.Name))
		if b.RequestID != "" {
			tx.Delete(control.TableMQIndex, requestIndex(tx, b.Account, b.Region, b.RequestID))
		}
		tx.After(func() { s.engine.Stop(b.ID) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteBrokerOutput{BrokerId: b.brokerID()}, nil
}

// retire ends a grant, as the principal that may; one that is gone is no error.
func (s *Service) retire(ctx context.Context, b *row, principal, id string) error {
	if id == "" {
		return nil
	}
	_, err := s.kms.As(b.as(principal)).RetireGrant(ctx,
		&kms.RetireGrantInput{KeyId: b.Key, GrantId: id})
	if _, gone := errors.AsType[*kms.NotFoundException](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("retire grant %s: %w", id, err)
	}
	return nil
}

// RebootBroker ends the broker's connections and starts it again with what was pending. A
// broker whose key cannot be used is not rebooted.
func (s *Service) RebootBroker(ctx context.Context, in *api.RebootBrokerInput) (
	*api.RebootBrokerOutput, error,
) {
	call := gateway.From(ctx)
	b, err := s.find(ctx, call.Account, call.Region, in.BrokerId)
	if err != nil {
		return nil, err
	}
	switch state := s.engine.State(b.ID); state.Phase {
	case Serving:
	case Locked:
		return nil, bad("broker-id", "Broker ["+b.brokerID()+"] cannot be rebooted while its "+
			"state is CRITICAL_ACTION_REQUIRED ("+invalidKey+"): "+state.Reason)
	default:
		return nil, bad("broker-id", "Broker ["+b.brokerID()+"] cannot be rebooted while its "+
			"state is "+state.Phase.String()+".")
	}
	return &api.RebootBrokerOutput{}, s.db.Update(ctx,
		func(_ context.Context, tx *control.Tx) error {
			b.apply()
			r, err := b.running(tx)
			if err != nil {
				return err
			}
			tx.After(func() { s.engine.Reboot(r) })
			return b.put(tx)
		})
}
