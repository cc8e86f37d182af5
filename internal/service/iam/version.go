package iam

import (
	"context"
	"slices"
	"strconv"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
)

// CreatePolicyVersion adds a document to a policy.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (
	*api.CreatePolicyVersionOutput, error,
) {
	out := &api.CreatePolicyVersionOutput{}
	return out, s.editPolicy(ctx, in.PolicyArn, func(r *request, e *entity) error {
		if err := r.checkManaged(in.PolicyDocument); err != nil {
			return err
		}
		p := e.Policy
		if len(p.Versions) >= maxVersions {
			return overLimit("A managed policy can have up to %d versions. Before you create a "+
				"new version, you must delete an existing version.", maxVersions)
		}
		p.Made++
		v := version{"v" + strconv.Itoa(p.Made), in.PolicyDocument, r.tx.Time()}
		p.Versions = append(p.Versions, v)
		if wire.Or(in.SetAsDefault, false) {
			p.Default = v.ID
		}
		p.Updated = r.tx.Time()
		out.PolicyVersion = e.listed(v)
		return nil
	})
}

// listed is the answer's form of a version without its document.
func (e *entity) listed(v version) *api.PolicyVersion {
	return &api.PolicyVersion{
		CreateDate: shownTime(v.Created), VersionId: v.ID,
		IsDefaultVersion: new(v.ID == e.Policy.Default),
	}
}

// shown is listed with the document.
func (e *entity) shown(v version) *api.PolicyVersion {
	p := e.listed(v)
	p.Document = encoded(v.Document)
	return p
}

// someVersion finds a version that a request names.
func (e *entity) someVersion(id string) (*version, error) {
	v := e.version(id)
	if v == nil {
		return nil, notFound("Policy %s version %s does not exist or is not attachable.",
			e.arn(), id)
	}
	return v, nil
}

// GetPolicyVersion gives a version with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (
	*api.GetPolicyVersionOutput, error,
) {
	out := &api.GetPolicyVersionOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.policy(in.PolicyArn)
		if err != nil {
			return err
		}
		v, err := e.someVersion(in.VersionId)
		if err == nil {
			out.PolicyVersion = e.shown(*v)
		}
		return err
	})
}

// ListPolicyVersions lists versions, the newest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (
	*api.ListPolicyVersionsOutput, error,
) {
	out := &api.ListPolicyVersionsOutput{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.policy(in.PolicyArn)
		if err != nil {
			return err
		}
		list := slices.Clone(e.Policy.Versions)
		slices.Reverse(list)
		p := paging{in.Marker, in.MaxItems, []string{"versions", e.ID}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, versionOrder)
		out.Versions = convert(list, func(v version) api.PolicyVersion { return *e.listed(v) })
		return err
	})
}

// versionOrder sorts the newest first.
func versionOrder(v version) string {
	n, _ := strconv.Atoi(v.ID[1:]) // Coffer made it
	return strconv.Itoa(1<<40 - n)
}

// DeletePolicyVersion deletes a version that is not the default one.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (
	*api.DeletePolicyVersionOutput, error,
) {
	return &api.DeletePolicyVersionOutput{}, s.editPolicy(ctx, in.PolicyArn,
		func(_ *request, e *entity) error {
			if _, err := e.someVersion(in.VersionId); err != nil {
				return err
			}
			if in.VersionId == e.Policy.Default {
				return deleteConflict("Cannot delete the default version of a policy.")
			}
			e.Policy.Versions = slices.DeleteFunc(e.Policy.Versions, func(v version) bool {
				return v.ID == in.VersionId
			})
			return nil
		})
}

// SetDefaultPolicyVersion says which version counts.
func (s *Service) SetDefaultPolicyVersion(
	ctx context.Context, in *api.SetDefaultPolicyVersionInput,
) (*api.SetDefaultPolicyVersionOutput, error) {
	return &api.SetDefaultPolicyVersionOutput{}, s.editPolicy(ctx, in.PolicyArn,
		func(r *request, e *entity) error {
			if _, err := e.someVersion(in.VersionId); err != nil {
				return err
			}
			e.Policy.Default, e.Policy.Updated = in.VersionId, r.tx.Time()
			return nil
		})
}
