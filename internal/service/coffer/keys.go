package coffer

import (
	"context"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

// Keys is the KMS beyond the operations that AWS has. All of it works in the unit
// of work of ctx's call.
type Keys interface {
	// SuspendChecks, ResumeChecks and UsageChecks say what the operations need.
	SuspendChecks(ctx context.Context, key string) ([]gateway.Check, error)
	ResumeChecks(ctx context.Context, key, grant string) ([]gateway.Check, error)
	UsageChecks(ctx context.Context, key string) ([]gateway.Check, error)

	SuspendGrant(ctx context.Context, key, grant string) error
	ResumeGrant(ctx context.Context, key, grant string) error
}

// KeyUsers knows what uses keys: the KMS, and the services that rest on it.
type KeyUsers interface {
	// Usage tells what uses a key.
	Usage(ctx context.Context, key string) (*api.KeyUsage, error)
	// Owned gives the AWS-owned keys that are used for an account in a Region.
	Owned(ctx context.Context, account, region string) ([]api.OwnedKey, error)
}

var _ gateway.Access = (*Service)(nil)

// Access lets what a request does to a key be decided as the KMS would decide it:
// by the key's policy, the caller's policies and grants. What is about the process
// as a whole is decided in the operator's account, so that no other account's
// administrators may do it.
func (s *Service) Access(ctx context.Context, _ *wire.Op, in any) ([]gateway.Check, error) {
	switch in := in.(type) {
	case *api.SuspendGrantInput:
		return s.keys.SuspendChecks(ctx, in.KeyId)
	case *api.ResumeGrantInput:
		return s.keys.ResumeChecks(ctx, in.KeyId, in.GrantId)
	case *api.DescribeKeyUsageInput:
		return s.keys.UsageChecks(ctx, in.KeyId)
	case *api.ExplainRequestInput:
		return s.explainChecks(ctx, in), nil
	case *api.ListOwnedKeysInput, *api.RekeyBrokerInput, *api.RekeyQueueInput:
		// of the caller's account
		return []gateway.Check{{}}, nil
	}
	return []gateway.Check{{Account: s.operator}}, nil
}

// SuspendGrant keeps a grant from allowing anything until it is resumed. Brokers
// that rest on it refuse loudly, at once, and lose nothing.
func (s *Service) SuspendGrant(ctx context.Context, in *api.SuspendGrantInput) (
	*api.SuspendGrantOutput, error,
) {
	return &api.SuspendGrantOutput{}, s.keys.SuspendGrant(ctx, in.KeyId, in.GrantId)
}

// ResumeGrant ends the suspension of a grant. Brokers that rest on it come back by
// themselves.
func (s *Service) ResumeGrant(ctx context.Context, in *api.ResumeGrantInput) (
	*api.ResumeGrantOutput, error,
) {
	return &api.ResumeGrantOutput{}, s.keys.ResumeGrant(ctx, in.KeyId, in.GrantId)
}

// DescribeKeyUsage tells what uses a key: what would be lost with it.
func (s *Service) DescribeKeyUsage(ctx context.Context, in *api.DescribeKeyUsageInput) (
	*api.DescribeKeyUsageOutput, error,
) {
	u, err := s.users.Usage(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	return &api.DescribeKeyUsageOutput{Usage: u}, nil
}

// ListOwnedKeys shows the AWS-owned keys that services use for the caller's account
// in this Region, and what for. They can be seen and nothing else.
func (s *Service) ListOwnedKeys(ctx context.Context, _ *api.ListOwnedKeysInput) (
	*api.ListOwnedKeysOutput, error,
) {
	call := gateway.From(ctx)
	list, err := s.users.Owned(ctx, call.Account, call.Region)
	if err != nil {
		return nil, err
	}
	return &api.ListOwnedKeysOutput{Keys: list}, nil
}
