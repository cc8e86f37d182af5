package coffer

import (
	"context"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
)

// Queues is SQS beyond the operations that AWS has.
type Queues interface {
	// Rekey lets some of the messages of a queue of the caller's account rest on another
	// KMS key, by default the queue's present one, as the unit of work in ctx. Errors:
	// fault.NotFound, fault.Invalid without a key, fault.KeyUnavailable, fault.Denied.
	Rekey(ctx context.Context, queue, key string) (*api.RekeyQueueOutput, error)
}

// RekeyQueue wraps data keys of a queue under another KMS key, as the caller, while the
// queue works; call it again until none is left. The present keys must be usable once more.
func (s *Service) RekeyQueue(ctx context.Context, in *api.RekeyQueueInput) (
	*api.RekeyQueueOutput, error,
) {
	out, err := s.queues.Rekey(ctx, in.QueueName, in.KmsKeyId)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return nil, &api.QueueNotFoundException{Message: text(err)}
	case fault.KeyUnavailable:
		return nil, &api.KeyUnavailableException{Message: text(err)}
	}
	return out, err
}
