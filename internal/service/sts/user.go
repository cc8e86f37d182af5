package sts

import (
	"context"
	"time"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/policy"
)

// GetSessionToken gives a user, or a root user, credentials for a time; with a
// one-time code they prove its device.
func (s *Service) GetSessionToken(ctx context.Context, in *api.GetSessionTokenInput) (
	*api.GetSessionTokenOutput, error,
) {
	call := gateway.From(ctx)
	t := &session{Kind: ofUser, Account: call.Account, Key: call.AccessKeyID()}
	cred, err := s.ofUser(ctx, call, t, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	call.SetResponseElements(shown(cred))
	return &api.GetSessionTokenOutput{Credentials: cred}, nil
}

// GetFederationToken gives someone whom the caller vouches for what the caller may
// and the passed policies allow; without policies that is nothing but what
// resource policies give by name.
func (s *Service) GetFederationToken(ctx context.Context, in *api.GetFederationTokenInput) (
	*api.GetFederationTokenOutput, error,
) {
	call := gateway.From(ctx)
	t := &session{
		Kind: ofFederated, Account: call.Account, Key: call.AccessKeyID(), Name: in.Name,
	}
	t.Policy = in.Policy
	if err := t.addTags(in.Tags, nil, nil); err != nil {
		return nil, err
	}
	size, err := s.checkPassed(ctx, t, in.PolicyArns)
	if err != nil {
		return nil, err
	}
	cred, err := s.ofUser(ctx, call, t, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	user := &api.FederatedUser{
		FederatedUserId: call.Account + ":" + in.Name,
		Arn:             arn.New("sts", "", call.Account, "federated-user/"+in.Name).String(),
	}
	shown := shown(cred)
	shown["federatedUser"] = map[string]any{
		"federatedUserId": user.FederatedUserId, "arn": user.Arn,
	}
	call.SetResponseElements(shown)
	return &api.GetFederationTokenOutput{
		Credentials: cred, FederatedUser: user, PackedPolicySize: size,
	}, nil
}

// ofUser issues what rests on the long-term access key of the caller.
func (s *Service) ofUser(ctx context.Context, call *gateway.Call, t *session, asked *int32) (
	*api.Credentials, error,
) {
	if t.Key == "" { // a call from inside the process has no key
		return nil, denied("Credentials are given only to who signs with an access key.")
	}
	life := defaultUserTime
	if asked != nil {
		life = time.Duration(*asked) * time.Second
	}
	if call.Principal.Kind == policy.Root {
		life = min(life, rootTime)
	}
	return s.issue(ctx, t, life)
}
