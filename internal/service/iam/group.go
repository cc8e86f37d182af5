package iam

import (
	"context"
	"slices"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// groupsPerUser is AWS's quota.
const groupsPerUser = 10

// CreateGroup makes a group without members.
func (s *Service) CreateGroup(ctx context.Context, in *api.CreateGroupInput) (
	*api.CreateGroupOutput, error,
) {
	out := &api.CreateGroupOutput{}
	return out, s.update(ctx, func(r *request) error {
		e := &entity{Kind: groupKind, Name: in.GroupName, Path: in.Path}
		err := r.create(e, nil)
		out.Group = e.group()
		return err
	})
}

// group is the answer's form.
func (e *entity) group() *api.Group {
	return &api.Group{
		Arn: e.arn(), CreateDate: shownTime(e.Created), GroupId: e.ID, GroupName: e.Name,
		Path: e.Path,
	}
}

// memberKey is a key of control.TableIAMLink: MAC of the account (16), 'm', id of
// the group, id of the user. The row is empty.
func memberKey(m macs, group *entity, user string) []byte {
	key := append(append(scope(m, group.Account), 'm'), group.ID...)
	return append(key, user...)
}

// members lists the users of a group in the order of their names.
func members(tx *control.Tx, group *entity) ([]*entity, error) {
	prefix := memberKey(tx, group, "")
	return linked(tx, group.Account, prefix, func(rest []byte) (kind, string) {
		return userKind, string(rest)
	})
}

// GetGroup describes a group and lists its users.
func (s *Service) GetGroup(ctx context.Context, in *api.GetGroupInput) (
	*api.GetGroupOutput, error,
) {
	out := &api.GetGroupOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.find(groupKind, in.GroupName)
		if err != nil {
			return err
		}
		users, err := members(r.tx, e)
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"members", e.ID}}
		users, out.IsTruncated, out.Marker, err = page(r.tx, p, users, (*entity).order)
		out.Group = e.group()
		out.Users = convert(users, func(e *entity) api.User { return *e.user() })
		return err
	})
}

// ListGroups lists groups in the order of their names.
func (s *Service) ListGroups(ctx context.Context, in *api.ListGroupsInput) (
	*api.ListGroupsOutput, error,
) {
	out := &api.ListGroupsOutput{}
	return out, s.view(ctx, func(r *request) error {
		p := paging{in.Marker, in.MaxItems, []string{"groups", r.account(), in.PathPrefix}}
		part, err := r.entities(groupKind, in.PathPrefix, p, &out.IsTruncated, &out.Marker)
		out.Groups = convert(part, func(e *entity) api.Group { return *e.group() })
		return err
	})
}

// ListGroupsForUser lists the groups of a user in the order of their names.
func (s *Service) ListGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (
	*api.ListGroupsForUserOutput, error,
) {
	out := &api.ListGroupsForUserOutput{}
	return out, s.view(ctx, func(r *request) error {
		user, err := r.find(userKind, in.UserName)
		if err != nil {
			return err
		}
		list, err := groupsOf(r.tx, user)
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"groups of", user.ID}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, (*entity).order)
		out.Groups = convert(list, func(e *entity) api.Group { return *e.group() })
		return err
	})
}

// groupsOf reads the groups of a user in the order of their names.
func groupsOf(tx *control.Tx, user *entity) ([]*entity, error) {
	list := make([]*entity, 0, len(user.User.Groups))
	for _, id := range user.User.Groups {
		g, err := existing(tx, user.Account, groupKind, id)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	slices.SortFunc(list, byOrder)
	return list, nil
}

// UpdateGroup renames a group or moves it to another path.
func (s *Service) UpdateGroup(ctx context.Context, in *api.UpdateGroupInput) (
	*api.UpdateGroupOutput, error,
) {
	return &api.UpdateGroupOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(groupKind, in.GroupName)
		if err != nil {
			return err
		}
		return r.rename(e, in.NewGroupName, in.NewPath)
	})
}

// DeleteGroup deletes a group without users and policies.
func (s *Service) DeleteGroup(ctx context.Context, in *api.DeleteGroupInput) (
	*api.DeleteGroupOutput, error,
) {
	return &api.DeleteGroupOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.find(groupKind, in.GroupName)
		if err != nil {
			return err
		}
		n, err := count(r.tx, control.TableIAMLink, memberKey(r.tx, e, ""))
		if err != nil {
			return err
		}
		if n > 0 {
			return deleteConflict("Cannot delete entity, must remove users from group first.")
		}
		return r.dismiss(e)
	})
}

// AddUserToGroup makes a user a member; one who is stays one.
func (s *Service) AddUserToGroup(ctx context.Context, in *api.AddUserToGroupInput) (
	*api.AddUserToGroupOutput, error,
) {
	return &api.AddUserToGroupOutput{}, s.update(ctx, func(r *request) error {
		group, user, err := r.groupAndUser(in.GroupName, in.UserName)
		if err != nil || slices.Contains(user.User.Groups, group.ID) {
			return err
		}
		if len(user.User.Groups) >= groupsPerUser {
			return overQuota("GroupsPerUser", groupsPerUser)
		}
		user.User.Groups = append(slices.Clone(user.User.Groups), group.ID)
		r.tx.Put(control.TableIAMLink, memberKey(r.tx, group, user.ID), nil)
		return user.save(r.tx)
	})
}

// RemoveUserFromGroup ends a membership; one that is not there is no error.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *api.RemoveUserFromGroupInput) (
	*api.RemoveUserFromGroupOutput, error,
) {
	return &api.RemoveUserFromGroupOutput{}, s.update(ctx, func(r *request) error {
		group, user, err := r.groupAndUser(in.GroupName, in.UserName)
		if err != nil || !user.User.leave(group.ID) {
			return err
		}
		r.tx.Delete(control.TableIAMLink, memberKey(r.tx, group, user.ID))
		return user.save(r.tx)
	})
}

func (r *request) groupAndUser(group, user string) (g, u *entity, err error) {
	if g, err = r.find(groupKind, group); err == nil {
		u, err = r.find(userKind, user)
	}
	return g, u, err
}
