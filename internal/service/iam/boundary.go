package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// bound gives an entity a permissions boundary, or with "" takes it away.
func (r *request) bound(e *entity, name string) error {
	if name == e.Boundary {
		return nil
	}
	if name != "" {
		p, err := managed(r.tx, e.Account, name)
		if err != nil {
			return err
		}
		if p == nil {
			return notFound("Scope ARN: %s does not exist or is not attachable.", name)
		}
	}
	if e.Boundary != "" {
		r.tx.Delete(control.TableIAMLink, e.linkKey(r.tx, asBoundary, e.Boundary))
	}
	if e.Boundary = name; name != "" {
		r.tx.Put(control.TableIAMLink, e.linkKey(r.tx, asBoundary, name), nil)
	}
	return e.save(r.tx)
}

// boundary is the answer's form; nil means that there is none.
func (e *entity) boundary() *api.AttachedPermissionsBoundary {
	if e.Boundary == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{
		PermissionsBoundaryArn: e.Boundary, PermissionsBoundaryType: "PermissionsBoundaryPolicy",
	}
}

// PutUserPermissionsBoundary sets the boundary of a user.
func (s *Service) PutUserPermissionsBoundary(
	ctx context.Context, in *api.PutUserPermissionsBoundaryInput,
) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(userKind, in.UserName)
		if err != nil {
			return err
		}
		return r.bound(e, in.PermissionsBoundary)
	})
}

// PutRolePermissionsBoundary sets the boundary of a role.
func (s *Service) PutRolePermissionsBoundary(
	ctx context.Context, in *api.PutRolePermissionsBoundaryInput,
) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.role(in.RoleName)
		if err != nil {
			return err
		}
		return r.bound(e, in.PermissionsBoundary)
	})
}

// DeleteUserPermissionsBoundary takes the boundary of a user away.
func (s *Service) DeleteUserPermissionsBoundary(
	ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput,
) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(userKind, in.UserName)
		if err == nil && e.Boundary == "" {
			err = notFound("The user with name %s does not have a permissions boundary.", e.Name)
		}
		if err != nil {
			return err
		}
		return r.bound(e, "")
	})
}

// DeleteRolePermissionsBoundary takes the boundary of a role away.
func (s *Service) DeleteRolePermissionsBoundary(
	ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput,
) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.role(in.RoleName)
		if err == nil && e.Boundary == "" {
			err = notFound("The role with name %s does not have a permissions boundary.", e.Name)
		}
		if err != nil {
			return err
		}
		return r.bound(e, "")
	})
}
