package node

import (
	"context"

	"coffer/internal/service/iam"
	"coffer/internal/service/sts"
)

// directory is IAM as the Security Token Service reaches it.
type directory struct{ *iam.Service }

var _ sts.Directory = directory{}

// Role is [sts.Directory]'s.
func (d directory) Role(ctx context.Context, account, name string) (*sts.Role, error) {
	r, err := d.Service.Role(ctx, account, name)
	if err != nil {
		return nil, err
	}
	return &sts.Role{
		Account: r.Account, Name: r.Name, ARN: r.ARN, ID: r.ID, Trust: r.Trust,
		Policies: r.Identity, Boundary: r.Boundary, Tags: r.Tags, MaxSession: r.MaxSession,
	}, nil
}
