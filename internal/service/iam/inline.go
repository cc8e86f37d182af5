package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/policy"
)

// inlineQuota is how many characters the inline policies of an entity may have
// together.
var inlineQuota = map[kind]int{userKind: 2048, groupKind: 5120, roleKind: 10240}

func byPolicyName(p inline, name string) int {
	return cmp.Compare(strings.ToLower(p.Name), strings.ToLower(name))
}

// putInline adds a policy or replaces the one of that name.
func (s *Service) putInline(ctx context.Context, k kind, owner, name, text string) error {
	return s.edit(ctx, k, owner, func(r *request, e *entity) error {
		if e.linkedToService() {
			return protected(e)
		}
		if _, err := s.documents.parse(text, policy.Identity); err != nil {
			return err
		}
		list := slices.Clone(e.Inline)
		at, found := slices.BinarySearchFunc(list, name, byPolicyName)
		if found {
			list[at].Document = text
		} else {
			list = slices.Insert(list, at, inline{name, text})
		}
		sum := 0
		for _, p := range list {
			sum += length(p.Document)
		}
		if sum > inlineQuota[k] {
			return overLimit("Maximum policy size of %d bytes exceeded for %s %s",
				inlineQuota[k], kinds[k].noun, e.Name)
		}
		e.Inline = list
		return nil
	})
}

func (e *entity) linkedToService() bool { return e.Role != nil && e.Role.Service != "" }

// getInline finds a policy of an entity.
func (r *request) getInline(k kind, owner, name string) (*entity, inline, error) {
	e, err := r.find(k, owner)
	if err != nil {
		return nil, inline{}, err
	}
	at, found := slices.BinarySearchFunc(e.Inline, name, byPolicyName)
	if !found {
		return nil, inline{}, notFound("The %s policy with name %s cannot be found.",
			kinds[k].noun, name)
	}
	return e, e.Inline[at], nil
}

func (s *Service) deleteInline(ctx context.Context, k kind, owner, name string) error {
	return s.update(ctx, func(r *request) error {
		e, p, err := r.getInline(k, owner, name)
		if err != nil {
			return err
		}
		if e.linkedToService() {
			return protected(e)
		}
		e.Inline = slices.DeleteFunc(slices.Clone(e.Inline), func(q inline) bool {
			return q.Name == p.Name
		})
		return e.save(r.tx)
	})
}

// listInline gives a page of the names of an entity's policies.
func (s *Service) listInline(
	ctx context.Context, k kind, owner, marker string, max *int32,
	names *[]string, truncated **bool, next *string,
) error {
	return s.view(ctx, func(r *request) error {
		e, err := r.find(k, owner)
		if err != nil {
			return err
		}
		p := paging{marker, max, []string{"inline", e.ID}}
		order := func(p inline) string { return strings.ToLower(p.Name) }
		part, more, after, err := page(r.tx, p, e.Inline, order)
		*names = convert(part, func(p inline) string { return p.Name })
		*truncated, *next = more, after
		return err
	})
}

// PutUserPolicy gives a user an inline policy.
func (s *Service) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (
	*api.PutUserPolicyOutput, error,
) {
	return &api.PutUserPolicyOutput{},
		s.putInline(ctx, userKind, in.UserName, in.PolicyName, in.PolicyDocument)
}

// PutGroupPolicy gives a group an inline policy.
func (s *Service) PutGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (
	*api.PutGroupPolicyOutput, error,
) {
	return &api.PutGroupPolicyOutput{},
		s.putInline(ctx, groupKind, in.GroupName, in.PolicyName, in.PolicyDocument)
}

// PutRolePolicy gives a role an inline policy.
func (s *Service) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (
	*api.PutRolePolicyOutput, error,
) {
	return &api.PutRolePolicyOutput{},
		s.putInline(ctx, roleKind, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy gives the document of an inline policy.
func (s *Service) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (
	*api.GetUserPolicyOutput, error,
) {
	out := &api.GetUserPolicyOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, p, err := r.getInline(userKind, in.UserName, in.PolicyName)
		if err == nil {
			out.UserName, out.PolicyName = e.Name, p.Name
			out.PolicyDocument = encoded(p.Document)
		}
		return err
	})
}

// GetGroupPolicy gives the document of an inline policy.
func (s *Service) GetGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (
	*api.GetGroupPolicyOutput, error,
) {
	out := &api.GetGroupPolicyOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, p, err := r.getInline(groupKind, in.GroupName, in.PolicyName)
		if err == nil {
			out.GroupName, out.PolicyName = e.Name, p.Name
			out.PolicyDocument = encoded(p.Document)
		}
		return err
	})
}

// GetRolePolicy gives the document of an inline policy.
func (s *Service) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (
	*api.GetRolePolicyOutput, error,
) {
	out := &api.GetRolePolicyOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, p, err := r.getInline(roleKind, in.RoleName, in.PolicyName)
		if err == nil {
			out.RoleName, out.PolicyName = e.Name, p.Name
			out.PolicyDocument = encoded(p.Document)
		}
		return err
	})
}

// DeleteUserPolicy takes an inline policy away.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (
	*api.DeleteUserPolicyOutput, error,
) {
	return &api.DeleteUserPolicyOutput{},
		s.deleteInline(ctx, userKind, in.UserName, in.PolicyName)
}

// DeleteGroupPolicy takes an inline policy away.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (
	*api.DeleteGroupPolicyOutput, error,
) {
	return &api.DeleteGroupPolicyOutput{},
		s.deleteInline(ctx, groupKind, in.GroupName, in.PolicyName)
}

// DeleteRolePolicy takes an inline policy away.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (
	*api.DeleteRolePolicyOutput, error,
) {
	return &api.DeleteRolePolicyOutput{},
		s.deleteInline(ctx, roleKind, in.RoleName, in.PolicyName)
}

// ListUserPolicies lists the names of inline policies.
func (s *Service) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (
	*api.ListUserPoliciesOutput, error,
) {
	out := &api.ListUserPoliciesOutput{}
	return out, s.listInline(ctx, userKind, in.UserName, in.Marker, in.MaxItems,
		&out.PolicyNames, &out.IsTruncated, &out.Marker)
}

// ListGroupPolicies lists the names of inline policies.
func (s *Service) ListGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (
	*api.ListGroupPoliciesOutput, error,
) {
	out := &api.ListGroupPoliciesOutput{}
	return out, s.listInline(ctx, groupKind, in.GroupName, in.Marker, in.MaxItems,
		&out.PolicyNames, &out.IsTruncated, &out.Marker)
}

// ListRolePolicies lists the names of inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (
	*api.ListRolePoliciesOutput, error,
) {
	out := &api.ListRolePoliciesOutput{}
	return out, s.listInline(ctx, roleKind, in.RoleName, in.Marker, in.MaxItems,
		&out.PolicyNames, &out.IsTruncated, &out.Marker)
}
