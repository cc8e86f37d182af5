// Package sts is the Security Token Service: it tells callers who they are.
// Temporary credentials are not issued yet; those operations answer "not
// implemented".
package sts

import (
	"context"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
)

// Service implements the STS API.
type Service struct{ api.Unimplemented }

var _ api.Service = (*Service)(nil)

// GetCallerIdentity tells account, ARN and unique id of the caller.
func (*Service) GetCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (
	*api.GetCallerIdentityOutput, error,
) {
	p := gateway.From(ctx).Principal
	return &api.GetCallerIdentityOutput{Account: p.Account, Arn: p.ARN, UserId: p.UserID}, nil
}
