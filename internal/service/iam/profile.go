package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// profilePart is what only instance profiles have.
type profilePart struct {
	Role string `json:"role,omitempty"` // unique id; at most one
}

// profilesOf lists the instance profiles that have a role.
func (r *request) profilesOf(role *entity) ([]*entity, error) {
	list, err := all(r.tx, role.Account, profileKind, "")
	var have []*entity
	for _, e := range list {
		if e.Profile.Role == role.ID {
			have = append(have, e)
		}
	}
	return have, err
}

// profile is the answer's form without tags, which listings leave out.
func (e *entity) profile(tx *control.Tx) (*api.InstanceProfile, error) {
	p := &api.InstanceProfile{
		Arn: e.arn(), CreateDate: shownTime(e.Created), InstanceProfileId: e.ID,
		InstanceProfileName: e.Name, Path: e.Path, Roles: []api.Role{},
	}
	if e.Profile.Role == "" {
		return p, nil
	}
	role, err := existing(tx, e.Account, roleKind, e.Profile.Role)
	if err != nil {
		return nil, err
	}
	shown, err := role.role(tx)
	if err != nil {
		return nil, err
	}
	p.Roles = append(p.Roles, *shown)
	return p, nil
}

// CreateInstanceProfile makes an instance profile without a role.
func (s *Service) CreateInstanceProfile(
	ctx context.Context, in *api.CreateInstanceProfileInput,
) (*api.CreateInstanceProfileOutput, error) {
	out := &api.CreateInstanceProfileOutput{}
	return out, s.update(ctx, func(r *request) (err error) {
		e := &entity{Kind: profileKind, Name: in.InstanceProfileName, Path: in.Path,
			Profile: &profilePart{}}
		if err := r.create(e, in.Tags); err != nil {
			return err
		}
		if out.InstanceProfile, err = e.profile(r.tx); err == nil {
			out.InstanceProfile.Tags = e.tags()
		}
		return err
	})
}

// GetInstanceProfile describes an instance profile.
func (s *Service) GetInstanceProfile(ctx context.Context, in *api.GetInstanceProfileInput) (
	*api.GetInstanceProfileOutput, error,
) {
	out := &api.GetInstanceProfileOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.find(profileKind, in.InstanceProfileName)
		if err != nil {
			return err
		}
		if out.InstanceProfile, err = e.profile(r.tx); err == nil {
			out.InstanceProfile.Tags = e.tags()
		}
		return err
	})
}

// profiles gives the answer's form of a page of instance profiles.
func (r *request) profiles(list []*entity) ([]api.InstanceProfile, error) {
	out := make([]api.InstanceProfile, 0, len(list))
	for _, e := range list {
		p, err := e.profile(r.tx)
		if err != nil {
			return nil, err
		}
		out = append(out, *p)
	}
	return out, nil
}

// ListInstanceProfiles lists instance profiles in the order of their names.
func (s *Service) ListInstanceProfiles(
	ctx context.Context, in *api.ListInstanceProfilesInput,
) (*api.ListInstanceProfilesOutput, error) {
	out := &api.ListInstanceProfilesOutput{}
	return out, s.view(ctx, func(r *request) error {
		p := paging{in.Marker, in.MaxItems, []string{"profiles", r.account(), in.PathPrefix}}
		part, err := r.entities(profileKind, in.PathPrefix, p, &out.IsTruncated, &out.Marker)
		if err == nil {
			out.InstanceProfiles, err = r.profiles(part)
		}
		return err
	})
}

// ListInstanceProfilesForRole lists the instance profiles that have a role.
func (s *Service) ListInstanceProfilesForRole(
	ctx context.Context, in *api.ListInstanceProfilesForRoleInput,
) (*api.ListInstanceProfilesForRoleOutput, error) {
	out := &api.ListInstanceProfilesForRoleOutput{}
	return out, s.view(ctx, func(r *request) error {
		role, err := r.find(roleKind, in.RoleName)
		if err != nil {
			return err
		}
		list, err := r.profilesOf(role)
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"profiles of", role.ID}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, (*entity).order)
		if err == nil {
			out.InstanceProfiles, err = r.profiles(list)
		}
		return err
	})
}

// AddRoleToInstanceProfile puts a role into an instance profile that has none.
func (s *Service) AddRoleToInstanceProfile(
	ctx context.Context, in *api.AddRoleToInstanceProfileInput,
) (*api.AddRoleToInstanceProfileOutput, error) {
	return &api.AddRoleToInstanceProfileOutput{}, s.edit(ctx, profileKind,
		in.InstanceProfileName, func(r *request, e *entity) error {
			role, err := r.role(in.RoleName)
			if err == nil && e.Profile.Role != "" {
				err = overQuota("InstanceSessionsPerInstanceProfile", 1)
			}
			if err == nil {
				e.Profile.Role = role.ID
			}
			return err
		})
}

// RemoveRoleFromInstanceProfile takes the role out of an instance profile.
func (s *Service) RemoveRoleFromInstanceProfile(
	ctx context.Context, in *api.RemoveRoleFromInstanceProfileInput,
) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	return &api.RemoveRoleFromInstanceProfileOutput{}, s.edit(ctx, profileKind,
		in.InstanceProfileName, func(r *request, e *entity) error {
			role, err := r.find(roleKind, in.RoleName)
			if err == nil && e.Profile.Role != role.ID {
				err = noEntity(roleKind, in.RoleName)
			}
			if err == nil {
				e.Profile.Role = ""
			}
			return err
		})
}

// DeleteInstanceProfile deletes an instance profile without a role.
func (s *Service) DeleteInstanceProfile(
	ctx context.Context, in *api.DeleteInstanceProfileInput,
) (*api.DeleteInstanceProfileOutput, error) {
	return &api.DeleteInstanceProfileOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(profileKind, in.InstanceProfileName)
		if err == nil && e.Profile.Role != "" {
			err = deleteConflict("Cannot delete entity, must remove roles from instance " +
				"profile first.")
		}
		if err == nil {
			e.remove(r.tx)
		}
		return err
	})
}

// TagInstanceProfile adds tags or replaces their values.
func (s *Service) TagInstanceProfile(ctx context.Context, in *api.TagInstanceProfileInput) (
	*api.TagInstanceProfileOutput, error,
) {
	return &api.TagInstanceProfileOutput{},
		s.tag(ctx, profileKind, in.InstanceProfileName, in.Tags)
}

// UntagInstanceProfile removes tags.
func (s *Service) UntagInstanceProfile(
	ctx context.Context, in *api.UntagInstanceProfileInput,
) (*api.UntagInstanceProfileOutput, error) {
	return &api.UntagInstanceProfileOutput{},
		s.untag(ctx, profileKind, in.InstanceProfileName, in.TagKeys)
}

// ListInstanceProfileTags lists tags in the order of their keys.
func (s *Service) ListInstanceProfileTags(
	ctx context.Context, in *api.ListInstanceProfileTagsInput,
) (*api.ListInstanceProfileTagsOutput, error) {
	out := &api.ListInstanceProfileTagsOutput{}
	return out, s.view(ctx, func(r *request) (err error) {
		e, err := r.find(profileKind, in.InstanceProfileName)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker, err = r.tagPage(e, in.Marker, in.MaxItems)
		}
		return err
	})
}
