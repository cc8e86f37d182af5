package mq

import (
	"context"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
)

// The users of a RabbitMQ broker are RabbitMQ's own: its management API keeps them, and
// Amazon MQ's operations are for brokers of ActiveMQ only.
//
// Source: Amazon MQ Developer Guide, "Amazon MQ for RabbitMQ broker users".

// notFor refuses an operation that brokers of RabbitMQ do not have.
func (s *Service) notFor(ctx context.Context, id, operation, advice string) error {
	call := gateway.From(ctx)
	b, err := s.find(ctx, call.Account, call.Region, id)
	if err != nil {
		return err
	}
	return bad("broker-id",
		operation+" is not supported for engine type ["+b.EngineType+"]."+advice)
}

const useManagement = " Manage the users of a RabbitMQ broker with its management API."

// CreateUser is refused.
func (s *Service) CreateUser(ctx context.Context, in *api.CreateUserInput) (
	*api.CreateUserOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "CreateUser", useManagement)
}

// UpdateUser is refused.
func (s *Service) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (
	*api.UpdateUserOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "UpdateUser", useManagement)
}

// DeleteUser is refused.
func (s *Service) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (
	*api.DeleteUserOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "DeleteUser", useManagement)
}

// DescribeUser is refused.
func (s *Service) DescribeUser(ctx context.Context, in *api.DescribeUserInput) (
	*api.DescribeUserOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "DescribeUser", useManagement)
}

// ListUsers is refused.
func (s *Service) ListUsers(ctx context.Context, in *api.ListUsersInput) (
	*api.ListUsersOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "ListUsers", useManagement)
}

// Promote is refused: there is no replica in another Region.
func (s *Service) Promote(ctx context.Context, in *api.PromoteInput) (
	*api.PromoteOutput, error,
) {
	return nil, s.notFor(ctx, in.BrokerId, "Promote", "")
}
