package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
)

// What users cannot have here, they do not have: passwords of a console, keys and
// credentials of other services, and certificates are not made, so asking for them is
// answered truly. Tools ask for all of them before they delete a user.

// GetLoginProfile tells that a user has no password of a console.
func (s *Service) GetLoginProfile(ctx context.Context, in *api.GetLoginProfileInput) (
	*api.GetLoginProfileOutput, error,
) {
	return nil, s.view(ctx, func(r *request) error { return r.noLogin(in.UserName) })
}

// DeleteLoginProfile finds none to delete.
func (s *Service) DeleteLoginProfile(ctx context.Context, in *api.DeleteLoginProfileInput) (
	*api.DeleteLoginProfileOutput, error,
) {
	return nil, s.update(ctx, func(r *request) error { return r.noLogin(in.UserName) })
}

func (r *request) noLogin(user string) error {
	e, err := r.user(user)
	if err != nil {
		return err
	}
	return notFound("Login Profile for User %s cannot be found.", e.Name)
}

// ListSSHPublicKeys lists none.
func (s *Service) ListSSHPublicKeys(ctx context.Context, in *api.ListSSHPublicKeysInput) (
	*api.ListSSHPublicKeysOutput, error,
) {
	return &api.ListSSHPublicKeysOutput{
		SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: new(bool),
	}, s.known(ctx, in.UserName)
}

// ListSigningCertificates lists none.
func (s *Service) ListSigningCertificates(
	ctx context.Context, in *api.ListSigningCertificatesInput,
) (*api.ListSigningCertificatesOutput, error) {
	return &api.ListSigningCertificatesOutput{
		Certificates: []api.SigningCertificate{}, IsTruncated: new(bool),
	}, s.known(ctx, in.UserName)
}

// ListServiceSpecificCredentials lists none.
func (s *Service) ListServiceSpecificCredentials(
	ctx context.Context, in *api.ListServiceSpecificCredentialsInput,
) (*api.ListServiceSpecificCredentialsOutput, error) {
	return &api.ListServiceSpecificCredentialsOutput{
		ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{},
	}, s.known(ctx, in.UserName)
}

// known fails for a user that does not exist; "" is the caller's own.
func (s *Service) known(ctx context.Context, user string) error {
	return s.view(ctx, func(r *request) error {
		_, err := r.holder(user)
		return err
	})
}
