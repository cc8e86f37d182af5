package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// details are the kinds of entity that a filter names, in the order in which they
// are listed.
var details = []struct {
	filter string
	kind   kind
	aws    bool // policies of AWS's that the account uses, instead of its own
}{
	{"User", userKind, false}, {"Group", groupKind, false}, {"Role", roleKind, false},
	{"LocalManagedPolicy", policyKind, false}, {"AWSManagedPolicy", policyKind, true},
}

// detail is an entity at its place in the list.
type detail struct {
	*entity
	order string
}

// GetAccountAuthorizationDetails lists users, groups, roles and policies with all
// that belongs to them.
func (s *Service) GetAccountAuthorizationDetails(
	ctx context.Context, in *api.GetAccountAuthorizationDetailsInput,
) (*api.GetAccountAuthorizationDetailsOutput, error) {
	out := &api.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []api.UserDetail{}, GroupDetailList: []api.GroupDetail{},
		RoleDetailList: []api.RoleDetail{}, Policies: []api.ManagedPolicyDetail{},
	}
	return out, s.view(ctx, func(r *request) error {
		list, err := r.details(in.Filter)
		if err != nil {
			return err
		}
		filter := slices.Sorted(slices.Values(in.Filter))
		p := paging{in.Marker, in.MaxItems,
			[]string{"details", r.account(), strings.Join(filter, " ")}}
		order := func(d detail) string { return d.order }
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, order)
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := r.describe(d.entity, out); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *request) details(filter []string) (list []detail, err error) {
	for i, d := range details {
		if len(filter) > 0 && !slices.Contains(filter, d.filter) {
			continue
		}
		var some []*entity
		if d.aws {
			some, err = r.usedOfAWS()
		} else {
			some, err = all(r.tx, r.account(), d.kind, "")
		}
		if err != nil {
			return nil, err
		}
		for _, e := range some {
			list = append(list, detail{e, strconv.Itoa(i) + e.order()})
		}
	}
	return list, nil
}

// usedOfAWS are AWS's managed policies that the account uses.
func (r *request) usedOfAWS() ([]*entity, error) {
	var list []*entity
	for _, e := range awsManagedAll() {
		p, err := r.described(e)
		if err != nil {
			return nil, err
		}
		if *p.AttachmentCount > 0 || *p.PermissionsBoundaryUsageCount > 0 {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, byOrder)
	return list, nil
}

// describe puts an entity into the list of its kind.
func (r *request) describe(e *entity, out *api.GetAccountAuthorizationDetailsOutput) error {
	switch e.Kind {
	case userKind:
		d, err := userDetail(r.tx, e)
		out.UserDetailList = append(out.UserDetailList, d)
		return err
	case groupKind:
		out.GroupDetailList = append(out.GroupDetailList, api.GroupDetail{
			Arn: e.arn(), CreateDate: shownTime(e.Created), GroupId: e.ID, GroupName: e.Name,
			Path:                    e.Path,
			AttachedManagedPolicies: attached(e.Attached), GroupPolicyList: e.inlineDetail(),
		})
	case roleKind:
		d, err := r.roleDetail(e)
		out.RoleDetailList = append(out.RoleDetailList, d)
		return err
	case policyKind:
		d, err := r.policyDetail(e)
		out.Policies = append(out.Policies, d)
		return err
	}
	return nil
}

func (e *entity) inlineDetail() []api.PolicyDetail {
	return convert(e.Inline, func(p inline) api.PolicyDetail {
		return api.PolicyDetail{PolicyName: p.Name, PolicyDocument: encoded(p.Document)}
	})
}

func userDetail(tx *control.Tx, e *entity) (api.UserDetail, error) {
	groups, err := groupsOf(tx, e)
	return api.UserDetail{
		Arn: e.arn(), CreateDate: shownTime(e.Created), Path: e.Path, UserId: e.ID,
		UserName:                e.Name,
		AttachedManagedPolicies: attached(e.Attached), UserPolicyList: e.inlineDetail(),
		GroupList: convert(groups, func(g *entity) string { return g.Name }),
		Tags:      e.tags(), PermissionsBoundary: e.boundary(),
	}, err
}

func (r *request) roleDetail(e *entity) (api.RoleDetail, error) {
	trust, err := e.shownTrust(r.tx)
	if err != nil {
		return api.RoleDetail{}, err
	}
	d := api.RoleDetail{
		Arn: e.arn(), CreateDate: shownTime(e.Created), Path: e.Path, RoleId: e.ID,
		RoleName:                 e.Name,
		AssumeRolePolicyDocument: trust,
		AttachedManagedPolicies:  attached(e.Attached), RolePolicyList: e.inlineDetail(),
		Tags: e.tags(), PermissionsBoundary: e.boundary(), RoleLastUsed: &api.RoleLastUsed{},
	}
	profiles, err := r.profilesOf(e)
	if err == nil {
		d.InstanceProfileList, err = r.profiles(profiles)
	}
	return d, err
}

func (r *request) policyDetail(e *entity) (api.ManagedPolicyDetail, error) {
	p, err := r.described(e)
	if err != nil {
		return api.ManagedPolicyDetail{}, err
	}
	versions := slices.Clone(e.Policy.Versions)
	slices.Reverse(versions)
	return api.ManagedPolicyDetail{
		Arn: p.Arn, AttachmentCount: p.AttachmentCount, CreateDate: p.CreateDate,
		DefaultVersionId: p.DefaultVersionId, Description: p.Description,
		IsAttachable: p.IsAttachable, Path: p.Path, PolicyId: p.PolicyId,
		PermissionsBoundaryUsageCount: p.PermissionsBoundaryUsageCount,
		PolicyName:                    p.PolicyName, UpdateDate: p.UpdateDate,
		PolicyVersionList: convert(versions, func(v version) api.PolicyVersion {
			return *e.shown(v)
		}),
	}, nil
}
