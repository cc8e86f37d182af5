package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/policy"
)

const (
	maxManaged  = 6144 // characters of a managed policy
	maxVersions = 5
	ownedByAWS  = "aws" // in place of an account, in ARNs of AWS's policies
)

// policyPart is what only managed policies have.
type policyPart struct {
	Description string    `json:"description,omitempty"`
	Updated     time.Time `json:"updated"`
	Default     string    `json:"default"` // id of the version that counts
	Made        int       `json:"made"`    // versions ever made; ids are not given twice
	Versions    []version `json:"versions"`
}

// version is one document of a managed policy.
type version struct {
	ID       string    `json:"id"`       // v1, v2, …
	Document string    `json:"document"` // as it was put
	Created  time.Time `json:"created"`
}

// version finds a version; nil means that there is none.
func (e *entity) version(id string) *version {
	at := slices.IndexFunc(e.Policy.Versions, func(v version) bool { return v.ID == id })
	if at < 0 {
		return nil
	}
	return &e.Policy.Versions[at]
}

// document is that of the default version.
func (e *entity) document() string { return e.version(e.Policy.Default).Document }

// managed finds a managed policy by its ARN: the account's own, or one of AWS's.
// nil means that there is none, which a policy of another account is too.
func managed(tx *control.Tx, account, name string) (*entity, error) {
	a, err := arn.Parse(name)
	path, found := strings.CutPrefix(a.Resource, kinds[policyKind].part+"/")
	if err != nil || !found || a.Partition != "aws" || a.Service != "iam" || a.Region != "" {
		return nil, nil
	}
	if a.Account == ownedByAWS {
		return awsManaged(name), nil
	}
	if a.Account != account {
		return nil, nil
	}
	e, err := byName(tx, account, policyKind, path[strings.LastIndexByte(path, '/')+1:])
	if err != nil || e == nil || e.arn() != name {
		return nil, err
	}
	return e, nil
}

// policy finds the managed policy that a request names.
func (r *request) policy(name string) (*entity, error) {
	if _, err := arn.Parse(name); err != nil {
		return nil, invalid("ARN %s is not valid.", name)
	}
	e, err := managed(r.tx, r.account(), name)
	if err == nil && e == nil {
		err = noPolicy(name)
	}
	return e, err
}

// own finds a policy that the account may change.
func (r *request) own(name string) (*entity, error) {
	e, err := r.policy(name)
	if err == nil && e.Account == ownedByAWS {
		err = notAuthorizedForAWS(r, name)
	}
	return e, err
}

// CreatePolicy makes a managed policy with its first version.
func (s *Service) CreatePolicy(ctx context.Context, in *api.CreatePolicyInput) (
	*api.CreatePolicyOutput, error,
) {
	out := &api.CreatePolicyOutput{}
	return out, s.update(ctx, func(r *request) error {
		if err := r.checkManaged(in.PolicyDocument); err != nil {
			return err
		}
		e := &entity{Kind: policyKind, Name: in.PolicyName, Path: in.Path, Policy: &policyPart{
			Description: wire.Or(in.Description, ""), Updated: r.tx.Time(),
			Default: "v1", Made: 1,
			Versions: []version{{"v1", in.PolicyDocument, r.tx.Time()}},
		}}
		if err := r.create(e, in.Tags); err != nil {
			return err
		}
		p, err := r.described(e)
		out.Policy, p.Description = p, "" // which only GetPolicy tells
		return err
	})
}

// checkManaged refuses what is no document of a managed policy.
func (r *request) checkManaged(text string) error {
	if _, err := r.s.documents.parse(text, policy.Identity); err != nil {
		return err
	}
	if length(text) > maxManaged {
		return overQuota("PolicySize", maxManaged)
	}
	return nil
}

// described is the answer's form.
func (r *request) described(e *entity) (*api.Policy, error) {
	a, err := count(r.tx, control.TableIAMLink, linkPrefix(r.tx, r.account(), asPermissions,
		e.arn()))
	if err != nil {
		return nil, err
	}
	b, err := count(r.tx, control.TableIAMLink, linkPrefix(r.tx, r.account(), asBoundary,
		e.arn()))
	return &api.Policy{
		Arn: e.arn(), AttachmentCount: new(int32(a)), PermissionsBoundaryUsageCount: new(int32(b)),
		CreateDate: shownTime(e.Created), UpdateDate: shownTime(e.Policy.Updated),
		DefaultVersionId: e.Policy.Default, Description: e.Policy.Description,
		IsAttachable: new(true), Path: e.Path,
		PolicyId: e.ID, PolicyName: e.Name, Tags: e.tags(),
	}, err
}

// GetPolicy describes a managed policy.
func (s *Service) GetPolicy(ctx context.Context, in *api.GetPolicyInput) (
	*api.GetPolicyOutput, error,
) {
	out := &api.GetPolicyOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.policy(in.PolicyArn)
		if err == nil {
			out.Policy, err = r.described(e)
		}
		return err
	})
}

// ListPolicies lists managed policies in the order of their names, AWS's before
// the account's own of the same name.
func (s *Service) ListPolicies(ctx context.Context, in *api.ListPoliciesInput) (
	*api.ListPoliciesOutput, error,
) {
	out := &api.ListPoliciesOutput{}
	return out, s.view(ctx, func(r *request) error {
		list, err := r.managedList(in.Scope, in.PathPrefix)
		if err != nil {
			return err
		}
		var wanted []*api.Policy
		for _, e := range list {
			p, err := r.described(e)
			if err != nil {
				return err
			}
			p.Tags, p.Description = nil, ""
			if wantedPolicy(p, in) {
				wanted = append(wanted, p)
			}
		}
		only := ""
		if wire.Or(in.OnlyAttached, false) {
			only = "attached"
		}
		p := paging{in.Marker, in.MaxItems, []string{
			"policies", r.account(), in.Scope, in.PathPrefix, only, in.PolicyUsageFilter}}
		order := func(p *api.Policy) string { return policyOrder(p.Arn) }
		wanted, out.IsTruncated, out.Marker, err = page(r.tx, p, wanted, order)
		out.Policies = convert(wanted, func(p *api.Policy) api.Policy { return *p })
		return err
	})
}

func wantedPolicy(p *api.Policy, in *api.ListPoliciesInput) bool {
	a, b := *p.AttachmentCount > 0, *p.PermissionsBoundaryUsageCount > 0
	switch {
	case wire.Or(in.OnlyAttached, false) && !a:
		return false
	case in.PolicyUsageFilter == "PermissionsPolicy":
		return a
	case in.PolicyUsageFilter == "PermissionsBoundary":
		return b
	}
	return true
}

// managedList gives the policies of a scope under a path, in order.
func (r *request) managedList(within, path string) ([]*entity, error) {
	var list []*entity
	if within != "Local" {
		for _, e := range awsManagedAll() {
			if strings.HasPrefix(e.Path, path) {
				list = append(list, e)
			}
		}
	}
	if within != "AWS" {
		local, err := all(r.tx, r.account(), policyKind, path)
		if err != nil {
			return nil, err
		}
		list = append(list, local...)
	}
	slices.SortFunc(list, func(a, b *entity) int {
		return cmp.Compare(policyOrder(a.arn()), policyOrder(b.arn()))
	})
	return list, nil
}

// policyOrder is what lists of managed policies are sorted by: the name, then
// whether it is AWS's. It comes from the ARN alone.
func policyOrder(name string) string {
	part := " "
	if strings.HasPrefix(name, "arn:aws:iam::"+ownedByAWS+":") {
		part = "\x1f"
	}
	return strings.ToLower(policyName(name)) + part
}

// policyName is the name in a policy's ARN.
func policyName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// DeletePolicy deletes a policy that has one version and that nothing uses.
func (s *Service) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (
	*api.DeletePolicyOutput, error,
) {
	return &api.DeletePolicyOutput{}, s.update(ctx, func(r *request) error {
		e, err := r.own(in.PolicyArn)
		if err != nil {
			return err
		}
		p, err := r.described(e)
		switch {
		case err != nil:
			return err
		case *p.AttachmentCount > 0 || *p.PermissionsBoundaryUsageCount > 0:
			return deleteConflict("Cannot delete a policy attached to entities.")
		case len(e.Policy.Versions) > 1:
			return deleteConflict("This policy has more than one version. Before you delete a " +
				"policy, you must delete the policy's versions. The default version is deleted " +
				"with the policy.")
		}
		e.remove(r.tx)
		return nil
	})
}

// TagPolicy adds tags or replaces their values.
func (s *Service) TagPolicy(ctx context.Context, in *api.TagPolicyInput) (
	*api.TagPolicyOutput, error,
) {
	return &api.TagPolicyOutput{}, s.editPolicy(ctx, in.PolicyArn,
		func(_ *request, e *entity) (err error) {
			e.Tags, err = addTags(e.Tags, in.Tags)
			return err
		})
}

// UntagPolicy removes tags.
func (s *Service) UntagPolicy(ctx context.Context, in *api.UntagPolicyInput) (
	*api.UntagPolicyOutput, error,
) {
	return &api.UntagPolicyOutput{}, s.editPolicy(ctx, in.PolicyArn,
		func(_ *request, e *entity) error {
			e.Tags = removeTags(e.Tags, in.TagKeys)
			return nil
		})
}

// ListPolicyTags lists tags in the order of their keys.
func (s *Service) ListPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (
	*api.ListPolicyTagsOutput, error,
) {
	out := &api.ListPolicyTagsOutput{}
	return out, s.view(ctx, func(r *request) (err error) {
		e, err := r.policy(in.PolicyArn)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker, err = r.tagPage(e, in.Marker, in.MaxItems)
		}
		return err
	})
}

// editPolicy changes one of the account's own policies.
func (s *Service) editPolicy(
	ctx context.Context, name string, fn func(*request, *entity) error,
) error {
	return s.update(ctx, func(r *request) error {
		e, err := r.own(name)
		if err != nil {
			return err
		}
		if err := fn(r, e); err != nil {
			return err
		}
		return e.save(r.tx)
	})
}
