package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// maxAttached is AWS's quota of managed policies of one entity.
const maxAttached = 10

// attach gives an entity a managed policy; one that it has stays.
func (s *Service) attach(ctx context.Context, k kind, owner, name string) error {
	return s.edit(ctx, k, owner, func(r *request, e *entity) error {
		if e.linkedToService() {
			return protected(e)
		}
		if _, err := arn.Parse(name); err != nil {
			return invalid("ARN %s is not valid.", name)
		}
		p, err := managed(r.tx, e.Account, name)
		switch {
		case err != nil:
			return err
		case p == nil:
			return notFound("Policy %s does not exist or is not attachable.", name)
		case strings.HasPrefix(p.Path, servicePath):
			return notAttachable()
		case slices.Contains(e.Attached, name):
			return nil
		case len(e.Attached) >= maxAttached:
			return overQuota("PoliciesPer"+kinds[k].title, maxAttached)
		}
		e.Attached = append(slices.Clone(e.Attached), name)
		slices.SortFunc(e.Attached, func(a, b string) int {
			return cmp.Compare(policyOrder(a), policyOrder(b))
		})
		r.tx.Put(control.TableIAMLink, e.linkKey(r.tx, asPermissions, name), nil)
		return nil
	})
}

func (s *Service) detach(ctx context.Context, k kind, owner, name string) error {
	return s.edit(ctx, k, owner, func(r *request, e *entity) error {
		if e.linkedToService() {
			return protected(e)
		}
		if !slices.Contains(e.Attached, name) {
			return noPolicy(name)
		}
		e.Attached = slices.DeleteFunc(slices.Clone(e.Attached), func(a string) bool {
			return a == name
		})
		r.tx.Delete(control.TableIAMLink, e.linkKey(r.tx, asPermissions, name))
		return nil
	})
}

// listAttached gives a page of the managed policies of an entity.
func (s *Service) listAttached(
	ctx context.Context, k kind, owner, path, marker string, max *int32,
	policies *[]api.AttachedPolicy, truncated **bool, next *string,
) error {
	return s.view(ctx, func(r *request) error {
		e, err := r.find(k, owner)
		if err != nil {
			return err
		}
		under := ":" + kinds[policyKind].part + path
		var list []string
		for _, name := range e.Attached {
			if strings.Contains(name, under) {
				list = append(list, name)
			}
		}
		p := paging{marker, max, []string{"attached", e.ID, path}}
		list, *truncated, *next, err = page(r.tx, p, list, policyOrder)
		*policies = attached(list)
		return err
	})
}

// attached is the answer's form of policies by their ARNs.
func attached(list []string) []api.AttachedPolicy {
	return convert(list, func(name string) api.AttachedPolicy {
		return api.AttachedPolicy{PolicyArn: name, PolicyName: policyName(name)}
	})
}

// AttachUserPolicy gives a user a managed policy.
func (s *Service) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (
	*api.AttachUserPolicyOutput, error,
) {
	return &api.AttachUserPolicyOutput{}, s.attach(ctx, userKind, in.UserName, in.PolicyArn)
}

// AttachGroupPolicy gives a group a managed policy.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (
	*api.AttachGroupPolicyOutput, error,
) {
	return &api.AttachGroupPolicyOutput{}, s.attach(ctx, groupKind, in.GroupName, in.PolicyArn)
}

// AttachRolePolicy gives a role a managed policy.
func (s *Service) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (
	*api.AttachRolePolicyOutput, error,
) {
	return &api.AttachRolePolicyOutput{}, s.attach(ctx, roleKind, in.RoleName, in.PolicyArn)
}

// DetachUserPolicy takes a managed policy away.
func (s *Service) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (
	*api.DetachUserPolicyOutput, error,
) {
	return &api.DetachUserPolicyOutput{}, s.detach(ctx, userKind, in.UserName, in.PolicyArn)
}

// DetachGroupPolicy takes a managed policy away.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (
	*api.DetachGroupPolicyOutput, error,
) {
	return &api.DetachGroupPolicyOutput{}, s.detach(ctx, groupKind, in.GroupName, in.PolicyArn)
}

// DetachRolePolicy takes a managed policy away.
func (s *Service) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (
	*api.DetachRolePolicyOutput, error,
) {
	return &api.DetachRolePolicyOutput{}, s.detach(ctx, roleKind, in.RoleName, in.PolicyArn)
}

// ListAttachedUserPolicies lists managed policies in the order of their names.
func (s *Service) ListAttachedUserPolicies(
	ctx context.Context, in *api.ListAttachedUserPoliciesInput,
) (*api.ListAttachedUserPoliciesOutput, error) {
	out := &api.ListAttachedUserPoliciesOutput{}
	return out, s.listAttached(ctx, userKind, in.UserName, in.PathPrefix, in.Marker, in.MaxItems,
		&out.AttachedPolicies, &out.IsTruncated, &out.Marker)
}

// ListAttachedGroupPolicies lists managed policies in the order of their names.
func (s *Service) ListAttachedGroupPolicies(
	ctx context.Context, in *api.ListAttachedGroupPoliciesInput,
) (*api.ListAttachedGroupPoliciesOutput, error) {
	out := &api.ListAttachedGroupPoliciesOutput{}
	return out, s.listAttached(ctx, groupKind, in.GroupName, in.PathPrefix, in.Marker,
		in.MaxItems, &out.AttachedPolicies, &out.IsTruncated, &out.Marker)
}

// ListAttachedRolePolicies lists managed policies in the order of their names.
func (s *Service) ListAttachedRolePolicies(
	ctx context.Context, in *api.ListAttachedRolePoliciesInput,
) (*api.ListAttachedRolePoliciesOutput, error) {
	out := &api.ListAttachedRolePoliciesOutput{}
	return out, s.listAttached(ctx, roleKind, in.RoleName, in.PathPrefix, in.Marker, in.MaxItems,
		&out.AttachedPolicies, &out.IsTruncated, &out.Marker)
}

// ListEntitiesForPolicy lists who uses a policy: users, groups and roles in the
// order of their names.
func (s *Service) ListEntitiesForPolicy(
	ctx context.Context, in *api.ListEntitiesForPolicyInput,
) (*api.ListEntitiesForPolicyOutput, error) {
	out := &api.ListEntitiesForPolicyOutput{
		PolicyGroups: []api.PolicyGroup{}, PolicyRoles: []api.PolicyRole{},
		PolicyUsers: []api.PolicyUser{},
	}
	return out, s.view(ctx, func(r *request) error {
		list, err := r.usersOf(in)
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"entities", r.account(), in.PolicyArn,
			in.EntityFilter, in.PathPrefix, in.PolicyUsageFilter}}
		order := func(e *entity) string { return string(rune(e.Kind)) + e.order() }
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, order)
		for _, e := range list {
			switch e.Kind {
			case userKind:
				out.PolicyUsers = append(out.PolicyUsers,
					api.PolicyUser{UserId: e.ID, UserName: e.Name})
			case groupKind:
				out.PolicyGroups = append(out.PolicyGroups,
					api.PolicyGroup{GroupId: e.ID, GroupName: e.Name})
			case roleKind:
				out.PolicyRoles = append(out.PolicyRoles,
					api.PolicyRole{RoleId: e.ID, RoleName: e.Name})
			}
		}
		return err
	})
}

// usersOf lists who uses a policy as the filters say, each once.
func (r *request) usersOf(in *api.ListEntitiesForPolicyInput) ([]*entity, error) {
	if _, err := r.policy(in.PolicyArn); err != nil {
		return nil, err
	}
	var list []*entity
	for u, filter := range map[usage]string{
		asPermissions: "PermissionsPolicy", asBoundary: "PermissionsBoundary",
	} {
		if in.PolicyUsageFilter != "" && in.PolicyUsageFilter != filter {
			continue
		}
		some, err := users(r.tx, r.account(), u, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	slices.SortFunc(list, byOrder)
	list = slices.CompactFunc(list, func(a, b *entity) bool { return a.ID == b.ID })
	return slices.DeleteFunc(list, func(e *entity) bool {
		return !entityFilter(e.Kind, in.EntityFilter) || !strings.HasPrefix(e.Path, in.PathPrefix)
	}), nil
}

// entityFilter reports whether a filter of the model lets a kind through.
func entityFilter(k kind, filter string) bool {
	return filter == "" || filter == kinds[k].title
}
