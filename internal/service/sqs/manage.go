package sqs

import (
	"context"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// purgePause is how long the next purge of a queue has to wait.
const purgePause = 60 * time.Second

// GetQueueUrl tells where a queue is, if it is there.
func (s *Service) GetQueueUrl(ctx context.Context, in *api.GetQueueUrlInput) (
	*api.GetQueueUrlOutput, error,
) {
	call := gateway.From(ctx)
	a := named(call, in)
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return nil, noQueue()
	}
	return &api.GetQueueUrlOutput{QueueUrl: a.url(call)}, nil
}

// named is the queue that GetQueueUrl asks for.
func named(call *gateway.Call, in *api.GetQueueUrlInput) address {
	account := call.Account
	if in.QueueOwnerAWSAccountId != nil && *in.QueueOwnerAWSAccountId != "" {
		account = *in.QueueOwnerAWSAccountId
	}
	return address{realmName{account, call.Region}, in.QueueName}
}

// DeleteQueue deletes a queue with all that is in it.
func (s *Service) DeleteQueue(ctx context.Context, in *api.DeleteQueueInput) (
	*api.DeleteQueueOutput, error,
) {
	a, err := addressOf(gateway.From(ctx), in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		r, err := find(tx, a)
		switch {
		case err != nil:
			return err
		case r == nil:
			return noQueue()
		}
		tx.Delete(control.TableSQS, rowID(tx, a))
		if err := s.core.DeleteNamespace(ctx, r.namespace()); err != nil {
			return err
		}
		tx.After(func() { s.forget(r) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteQueueOutput{}, nil
}

// PurgeQueue notes the purge; Finish does it, or the next start.
func (s *Service) PurgeQueue(ctx context.Context, in *api.PurgeQueueInput) (
	*api.PurgeQueueOutput, error,
) {
	a, err := addressOf(gateway.From(ctx), in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, a, func(r *row) error {
			if tx.Time().Sub(r.Purged) < purgePause {
				return &api.PurgeQueueInProgress{Message: "Only one PurgeQueue operation on " +
					a.name + " is allowed every 60 seconds."}
			}
			r.Purged, r.Purging = tx.Time(), true
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return &api.PurgeQueueOutput{}, nil
}

// purge does a purge that was noted.
func (s *Service) purge(ctx context.Context, q *queue, p *place) error {
	if _, err := p.namespace.PurgeQueue(ctx, p.queue); err != nil {
		return err
	}
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, q.address, func(r *row) error {
			r.Purging = r.Purging && r.ID != q.id
			return nil
		})
	})
}
