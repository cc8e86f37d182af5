package iam

import (
	"context"
	"slices"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/policy"
)

// userPart is what only users have.
type userPart struct {
	Groups []string `json:"groups,omitempty"` // unique ids, in the order of joining
	Keys   []string `json:"keys,omitempty"`   // ids of access keys, oldest first
}

// self names the caller's own user, for requests that name none. At AWS these
// go by the access key; here they go by the principal, which is the same.
func (r *request) self(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if p := r.call.Principal; p.Kind == policy.User {
		return p.Name, nil
	}
	return "", invalid("Must specify userName when calling with non-User credentials")
}

// user finds the user that a request names, or the caller's own.
func (r *request) user(name string) (*entity, error) {
	name, err := r.self(name)
	if err != nil {
		return nil, err
	}
	return r.find(userKind, name)
}

// CreateUser makes a user without any permission.
func (s *Service) CreateUser(ctx context.Context, in *api.CreateUserInput) (
	*api.CreateUserOutput, error,
) {
	out := &api.CreateUserOutput{}
	return out, s.update(ctx, func(r *request) error {
		e := &entity{Kind: userKind, Name: in.UserName, Path: in.Path, User: &userPart{}}
		if err := r.create(e, in.Tags); err != nil {
			return err
		}
		if err := r.bound(e, in.PermissionsBoundary); err != nil {
			return err
		}
		out.User = e.user()
		out.User.Tags, out.User.PermissionsBoundary = e.tags(), e.boundary()
		return nil
	})
}

// user is the answer's form without tags and boundary, which listings leave out.
func (e *entity) user() *api.User {
	return &api.User{
		Arn: e.arn(), CreateDate: shownTime(e.Created), Path: e.Path,
		UserId: e.ID, UserName: e.Name,
	}
}

// GetUser describes a user; without a name, the caller.
func (s *Service) GetUser(ctx context.Context, in *api.GetUserInput) (
	*api.GetUserOutput, error,
) {
	out := &api.GetUserOutput{}
	return out, s.view(ctx, func(r *request) error {
		if p := r.call.Principal; in.UserName == "" && p.Kind == policy.Root {
			created, err := r.accountCreated()
			out.User = &api.User{Arn: p.ARN, UserId: p.Account, CreateDate: shownTime(created)}
			return err
		}
		e, err := r.user(in.UserName)
		if err != nil {
			return err
		}
		out.User = e.user()
		out.User.Tags, out.User.PermissionsBoundary = e.tags(), e.boundary()
		return nil
	})
}

func (r *request) accountCreated() (time.Time, error) {
	row, err := r.accountRow()
	return row.Created, err
}

// ListUsers lists users in the order of their names.
func (s *Service) ListUsers(ctx context.Context, in *api.ListUsersInput) (
	*api.ListUsersOutput, error,
) {
	out := &api.ListUsersOutput{}
	return out, s.view(ctx, func(r *request) error {
		p := paging{in.Marker, in.MaxItems, []string{"users", r.account(), in.PathPrefix}}
		part, err := r.entities(userKind, in.PathPrefix, p, &out.IsTruncated, &out.Marker)
		out.Users = convert(part, func(e *entity) api.User { return *e.user() })
		return err
	})
}

// entities gives a page of the entities of a kind under a path.
func (r *request) entities(
	k kind, path string, p paging, truncated **bool, marker *string,
) (part []*entity, err error) {
	list, err := all(r.tx, r.account(), k, path)
	if err != nil {
		return nil, err
	}
	part, *truncated, *marker, err = page(r.tx, p, list, (*entity).order)
	return part, err
}

// UpdateUser renames a user or moves it to another path.
func (s *Service) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (
	*api.UpdateUserOutput, error,
) {
	return &api.UpdateUserOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(userKind, in.UserName)
		if err != nil {
			return err
		}
		return r.rename(e, in.NewUserName, in.NewPath)
	})
}

// DeleteUser deletes a user that nothing belongs to any more.
func (s *Service) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (
	*api.DeleteUserOutput, error,
) {
	return &api.DeleteUserOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(userKind, in.UserName)
		if err != nil {
			return err
		}
		held, err := devices(r.tx, e.Account, heldBy(e.ID))
		if err != nil {
			return err
		}
		switch {
		case len(held) > 0:
			return deleteConflict("Cannot delete entity, must delete MFA device first.")
		case len(e.User.Groups) > 0:
			return deleteConflict("Cannot delete entity, must remove users from group first.")
		case len(e.User.Keys) > 0:
			return deleteConflict("Cannot delete entity, must delete access keys first.")
		}
		return r.dismiss(e)
	})
}

// dismiss removes a user, group or role without policies.
func (r *request) dismiss(e *entity) error {
	switch {
	case len(e.Attached) > 0:
		return deleteConflict("Cannot delete entity, must detach all policies first.")
	case len(e.Inline) > 0:
		return deleteConflict("Cannot delete entity, must delete policies first.")
	}
	if err := r.bound(e, ""); err != nil {
		return err
	}
	e.remove(r.tx)
	return nil
}

// TagUser adds tags or replaces their values.
func (s *Service) TagUser(ctx context.Context, in *api.TagUserInput) (
	*api.TagUserOutput, error,
) {
	return &api.TagUserOutput{}, s.tag(ctx, userKind, in.UserName, in.Tags)
}

// UntagUser removes tags.
func (s *Service) UntagUser(ctx context.Context, in *api.UntagUserInput) (
	*api.UntagUserOutput, error,
) {
	return &api.UntagUserOutput{}, s.untag(ctx, userKind, in.UserName, in.TagKeys)
}

// ListUserTags lists tags in the order of their keys.
func (s *Service) ListUserTags(ctx context.Context, in *api.ListUserTagsInput) (
	*api.ListUserTagsOutput, error,
) {
	out := &api.ListUserTagsOutput{}
	return out, s.view(ctx, func(r *request) (err error) {
		e, err := r.find(userKind, in.UserName)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker, err = r.tagPage(e, in.Marker, in.MaxItems)
		}
		return err
	})
}

// edit changes one entity in the unit of work of the call.
func (s *Service) edit(
	ctx context.Context, k kind, name string, fn func(*request, *entity) error,
) error {
	return s.update(ctx, func(r *request) error {
		e, err := r.find(k, name)
		if err != nil {
			return err
		}
		if err := fn(r, e); err != nil {
			return err
		}
		return e.save(r.tx)
	})
}

func (s *Service) tag(ctx context.Context, k kind, name string, tags []api.Tag) error {
	return s.edit(ctx, k, name, func(_ *request, e *entity) (err error) {
		e.Tags, err = addTags(e.Tags, tags)
		return err
	})
}

func (s *Service) untag(ctx context.Context, k kind, name string, keys []string) error {
	return s.edit(ctx, k, name, func(_ *request, e *entity) error {
		e.Tags = removeTags(e.Tags, keys)
		return nil
	})
}

// leave takes a user out of a group.
func (u *userPart) leave(group string) bool {
	n := len(u.Groups)
	u.Groups = slices.DeleteFunc(slices.Clone(u.Groups), func(id string) bool {
		return id == group
	})
	return len(u.Groups) < n
}
