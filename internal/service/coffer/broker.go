package coffer

import (
	"context"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Place is the queue shard in which a broker lies.
type Place struct {
	Broker string // b-…
	Shard  int    // from 1 on
	Moving bool   // it is being moved, and serves nobody
}

// Brokers places brokers in queue shards.
type Brokers interface {
	// Places lists the brokers of this process by id.
	Places() ([]Place, error)
	// Movable is nil when a broker may be moved to a shard now; else an error of kind
	// fault.NotFound, fault.Invalid for a shard that is not there, or fault.Conflict
	// while the broker is not running, as one that is being moved.
	Movable(id string, shard int) error
	// Move begins to move a broker and does not wait for it. Its connections end, and
	// clients may connect again when it has moved, or could not be.
	Move(id string, shard int)
	// Rekey lets a broker of the caller's account rest on another KMS key, as the unit of
	// work in ctx, and gives its ARN. Errors: fault.NotFound, fault.Invalid for a key that
	// cannot be, fault.KeyUnavailable when the present key cannot be used, fault.Conflict
	// while the broker does not run.
	Rekey(ctx context.Context, id string, owned bool, key string) (arn string, err error)
}

// MoveBroker begins to move a broker with all that it stores to another queue shard.
// DescribeStore tells where it lies. A broker that lies there already stays as it is.
func (s *Service) MoveBroker(ctx context.Context, in *api.MoveBrokerInput) (
	*api.MoveBrokerOutput, error,
) {
	id, shard := in.BrokerId, int(in.Shard)
	err := s.brokers.Movable(id, shard)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return nil, &api.BrokerNotFoundException{Message: text(err)}
	case fault.Conflict:
		return nil, &api.BrokerInUseException{Message: text(err)}
	}
	if err != nil {
		return nil, err
	}
	control.From(ctx).After(func() { s.brokers.Move(id, shard) })
	return &api.MoveBrokerOutput{}, nil
}

// RekeyBroker wraps the key of a broker under another KMS key, while it serves. The key is
// chosen as CreateBroker of Amazon MQ chooses one, with the caller's permissions. The
// present key must be usable once more, or be made so first.
func (s *Service) RekeyBroker(ctx context.Context, in *api.RekeyBrokerInput) (
	*api.RekeyBrokerOutput, error,
) {
	name, err := s.brokers.Rekey(ctx, in.BrokerId, in.UseAwsOwnedKey, in.KmsKeyId)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return nil, &api.BrokerNotFoundException{Message: text(err)}
	case fault.Conflict:
		return nil, &api.BrokerInUseException{Message: text(err)}
	case fault.KeyUnavailable:
		return nil, &api.KeyUnavailableException{Message: text(err)}
	}
	if err != nil {
		return nil, err
	}
	out := &api.RekeyBrokerOutput{BrokerId: in.BrokerId, UseAwsOwnedKey: &in.UseAwsOwnedKey}
	if !in.UseAwsOwnedKey {
		out.KmsKeyId = name
	}
	return out, nil
}

func places(list []Place) []api.BrokerPlace {
	out := []api.BrokerPlace{}
	for _, p := range list {
		out = append(out, api.BrokerPlace{
			BrokerId: p.Broker, Shard: new(int32(p.Shard)), Moving: new(p.Moving),
		})
	}
	return out
}
