package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

const (
	maxTrust     = 2048 // characters of a trust policy
	usualSeconds = 3600 // seconds of a session, unless the role says more
)

// rolePart is what only roles have.
type rolePart struct {
	Trust string `json:"trust"` // who may assume it, as it was put
	// Principals are the unique ids of the users and roles that Trust names, by ARN.
	Principals  map[string]string `json:"principals,omitempty"`
	Description string            `json:"description,omitempty"`
	MaxSeconds  int32             `json:"maxSeconds"` // of a session
	// Service is the service principal of a service-linked role.
	Service string `json:"service,omitempty"`
}

// role finds a role that the request may change.
func (r *request) role(name string) (*entity, error) {
	e, err := r.find(roleKind, name)
	if err == nil && e.Role.Service != "" {
		err = protected(e)
	}
	return e, err
}

// CreateRole makes a role without any permission.
func (s *Service) CreateRole(ctx context.Context, in *api.CreateRoleInput) (
	*api.CreateRoleOutput, error,
) {
	out := &api.CreateRoleOutput{}
	return out, s.update(ctx, func(r *request) error {
		part := &rolePart{
			Trust: in.AssumeRolePolicyDocument, Description: wire.Or(in.Description, ""),
			MaxSeconds: wire.Or(in.MaxSessionDuration, usualSeconds),
		}
		ids, err := r.checkTrust(part.Trust)
		if err != nil {
			return err
		}
		part.Principals = ids
		e := &entity{Kind: roleKind, Name: in.RoleName, Path: in.Path, Role: part}
		if err := r.create(e, in.Tags); err != nil {
			return err
		}
		if err := r.bound(e, in.PermissionsBoundary); err != nil {
			return err
		}
		if out.Role, err = e.role(r.tx); err != nil {
			return err
		}
		out.Role.Tags, out.Role.PermissionsBoundary = e.tags(), e.boundary()
		return nil
	})
}

// role is the answer's form without tags and boundary, which listings leave out.
func (e *entity) role(tx *control.Tx) (*api.Role, error) {
	trust, err := e.shownTrust(tx)
	return &api.Role{
		Arn: e.arn(), AssumeRolePolicyDocument: trust, CreateDate: shownTime(e.Created),
		Description: e.Role.Description, MaxSessionDuration: new(e.Role.MaxSeconds),
		Path: e.Path, RoleId: e.ID, RoleName: e.Name,
	}, err
}

// roles is the answer's form of a page of roles.
func (r *request) roles(list []*entity) ([]api.Role, error) {
	out := make([]api.Role, 0, len(list))
	for _, e := range list {
		role, err := e.role(r.tx)
		if err != nil {
			return nil, err
		}
		out = append(out, *role)
	}
	return out, nil
}

// GetRole describes a role.
func (s *Service) GetRole(ctx context.Context, in *api.GetRoleInput) (
	*api.GetRoleOutput, error,
) {
	out := &api.GetRoleOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.find(roleKind, in.RoleName)
		if err != nil {
			return err
		}
		if out.Role, err = e.role(r.tx); err != nil {
			return err
		}
		out.Role.Tags, out.Role.PermissionsBoundary = e.tags(), e.boundary()
		out.Role.RoleLastUsed = &api.RoleLastUsed{}
		return nil
	})
}

// ListRoles lists roles in the order of their names.
func (s *Service) ListRoles(ctx context.Context, in *api.ListRolesInput) (
	*api.ListRolesOutput, error,
) {
	out := &api.ListRolesOutput{}
	return out, s.view(ctx, func(r *request) error {
		p := paging{in.Marker, in.MaxItems, []string{"roles", r.account(), in.PathPrefix}}
		part, err := r.entities(roleKind, in.PathPrefix, p, &out.IsTruncated, &out.Marker)
		if err == nil {
			out.Roles, err = r.roles(part)
		}
		return err
	})
}

// UpdateRole replaces a role's description and the longest session.
func (s *Service) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (
	*api.UpdateRoleOutput, error,
) {
	return &api.UpdateRoleOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(roleKind, in.RoleName)
		if err != nil {
			return err
		}
		if in.MaxSessionDuration != nil && e.Role.Service != "" {
			return protected(e)
		}
		e.Role.Description = wire.Or(in.Description, e.Role.Description)
		e.Role.MaxSeconds = wire.Or(in.MaxSessionDuration, e.Role.MaxSeconds)
		return e.save(r.tx)
	})
}

// UpdateRoleDescription replaces a role's description.
func (s *Service) UpdateRoleDescription(
	ctx context.Context, in *api.UpdateRoleDescriptionInput,
) (*api.UpdateRoleDescriptionOutput, error) {
	out := &api.UpdateRoleDescriptionOutput{}
	return out, s.update(ctx, func(r *request) error {
		e, err := r.find(roleKind, in.RoleName)
		if err != nil {
			return err
		}
		e.Role.Description = in.Description
		if out.Role, err = e.role(r.tx); err != nil {
			return err
		}
		return e.save(r.tx)
	})
}

// UpdateAssumeRolePolicy replaces the trust policy.
func (s *Service) UpdateAssumeRolePolicy(
	ctx context.Context, in *api.UpdateAssumeRolePolicyInput,
) (*api.UpdateAssumeRolePolicyOutput, error) {
	return &api.UpdateAssumeRolePolicyOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.role(in.RoleName)
		if err != nil {
			return err
		}
		ids, err := r.checkTrust(in.PolicyDocument)
		if err != nil {
			return err
		}
		e.Role.Trust, e.Role.Principals = in.PolicyDocument, ids
		return e.save(r.tx)
	})
}

// DeleteRole deletes a role without policies that no instance profile has.
func (s *Service) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (
	*api.DeleteRoleOutput, error,
) {
	return &api.DeleteRoleOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.role(in.RoleName)
		if err != nil {
			return err
		}
		profiles, err := r.profilesOf(e)
		if err != nil {
			return err
		}
		if len(profiles) > 0 {
			return deleteConflict("Cannot delete entity, must remove roles from instance " +
				"profile first.")
		}
		return r.dismiss(e)
	})
}

// TagRole adds tags or replaces their values.
func (s *Service) TagRole(ctx context.Context, in *api.TagRoleInput) (
	*api.TagRoleOutput, error,
) {
	return &api.TagRoleOutput{}, s.tag(ctx, roleKind, in.RoleName, in.Tags)
}

// UntagRole removes tags.
func (s *Service) UntagRole(ctx context.Context, in *api.UntagRoleInput) (
	*api.UntagRoleOutput, error,
) {
	return &api.UntagRoleOutput{}, s.untag(ctx, roleKind, in.RoleName, in.TagKeys)
}

// ListRoleTags lists tags in the order of their keys.
func (s *Service) ListRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (
	*api.ListRoleTagsOutput, error,
) {
	out := &api.ListRoleTagsOutput{}
	return out, s.view(ctx, func(r *request) (err error) {
		e, err := r.find(roleKind, in.RoleName)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker, err = r.tagPage(e, in.Marker, in.MaxItems)
		}
		return err
	})
}
