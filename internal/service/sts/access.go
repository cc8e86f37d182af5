package sts

import (
	"context"
	"slices"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// roleType is what CloudTrail calls a role.
const roleType = "AWS::IAM::Role"

// provedKey is in the context of a request whose one-time code was right.
type provedKey struct{}

func proved(ctx context.Context) bool { return ctx.Value(provedKey{}) != nil }

// Prepare uses up the one-time code of a request. That has to come first: a trust
// policy may ask for it, and a code counts as tried when the request is refused.
func (s *Service) Prepare(ctx context.Context, _ *wire.Op, in any) (context.Context, error) {
	var serial, code string
	switch in := in.(type) {
	case *api.AssumeRoleInput:
		serial, code = in.SerialNumber, in.TokenCode
	case *api.GetSessionTokenInput:
		serial, code = in.SerialNumber, in.TokenCode
	}
	switch {
	case serial == "" && code == "":
		return ctx, nil
	case serial == "" || code == "":
		return nil, denied("MultiFactorAuthentication failed, must provide both MFA serial " +
			"number and one time pass code.")
	}
	if err := s.dir.UseMFA(ctx, gateway.From(ctx).Principal, serial, code); err != nil {
		return nil, err
	}
	return context.WithValue(ctx, provedKey{}, true), nil
}

// Access says what a request touches. AWS checks no permission where callers ask
// about themselves or for a session of their own.
func (s *Service) Access(ctx context.Context, op *wire.Op, in any) ([]gateway.Check, error) {
	call := gateway.From(ctx)
	if err := reachable(call, op.Name); err != nil {
		return nil, err
	}
	switch in := in.(type) {
	case *api.GetCallerIdentityInput, *api.GetSessionTokenInput:
		return []gateway.Check{{Anyone: true}}, nil
	case *api.AssumeRoleInput:
		return s.assuming(ctx, call, in)
	case *api.GetFederationTokenInput:
		name := arn.New("sts", "", call.Account, "federated-user/"+in.Name).String()
		c := gateway.Check{Resource: name, Context: tagKeys(in.Tags, nil)}
		if len(in.Tags) == 0 {
			return []gateway.Check{c}, nil
		}
		tagging := c
		tagging.Action = "sts:TagSession"
		return []gateway.Check{c, tagging}, nil
	}
	return []gateway.Check{{}}, nil
}

// reachable refuses what credentials of a kind cannot call.
//
// Source: IAM User Guide, "Compare AWS STS credentials".
func reachable(call *gateway.Call, op string) error {
	who := call.Identity()
	if who.Session == nil || op == "GetCallerIdentity" {
		return nil
	}
	federated := who.Principal.Kind == policy.FederatedUser
	switch {
	case op == "GetSessionToken" || op == "GetFederationToken" || federated:
		return denied("Cannot call %s with session credentials", op)
	case who.Principal.Kind != policy.AssumedRole && op != "AssumeRole":
		return denied("Cannot call %s with session credentials", op)
	}
	return nil
}

// assuming lists the decisions of AssumeRole: the role's trust policy and, across
// accounts or where that names the account, the caller's own policies.
func (s *Service) assuming(ctx context.Context, call *gateway.Call, in *api.AssumeRoleInput) (
	[]gateway.Check, error,
) {
	if call.Principal.Kind == policy.Root {
		return nil, denied("Roles may not be assumed by root accounts.")
	}
	account, name, err := parseRole(in.RoleArn)
	if err != nil {
		return nil, err
	}
	c := gateway.Check{
		Resource: in.RoleArn, Account: account, Type: roleType, RootOfTrust: true,
		MFA: proved(ctx), Context: map[string][]string{
			"sts:RoleSessionName": {in.RoleSessionName},
		},
	}
	if in.ExternalId != "" {
		c.Context["sts:ExternalId"] = []string{in.ExternalId}
	}
	role, err := s.dir.Role(ctx, account, name)
	switch {
	case fault.KindOf(err) == fault.NotFound || err == nil && role.ARN != in.RoleArn:
		return []gateway.Check{c}, nil // nothing lets anyone in
	case err != nil:
		return nil, err
	}
	c.Policy = role.Trust
	for k, v := range role.Tags {
		c.Context["aws:ResourceTag/"+k] = []string{v}
		c.Context["iam:ResourceTag/"+k] = []string{v}
	}
	return withSession(c, call.Identity().Session, in), nil
}

// withSession adds the decisions about tags and the source identity, passed or
// handed on.
func withSession(c gateway.Check, from *gateway.Session, in *api.AssumeRoleInput) []gateway.Check {
	source := in.SourceIdentity
	handed := false
	if from != nil {
		handed = len(from.Transitive) > 0
		if source == "" {
			source = from.SourceIdentity
		}
	}
	if source != "" {
		c.Context["sts:SourceIdentity"] = []string{source}
	}
	for k, v := range tagKeys(in.Tags, in.TransitiveTagKeys) {
		c.Context[k] = v
	}
	list := []gateway.Check{c}
	if len(in.Tags) > 0 || handed {
		tagging := c
		tagging.Action = "sts:TagSession"
		list = append(list, tagging)
	}
	if source != "" {
		naming := c
		naming.Action = "sts:SetSourceIdentity"
		list = append(list, naming)
	}
	return list
}

// tagKeys are the condition keys of tags in a request.
func tagKeys(tags []api.Tag, transitive []string) map[string][]string {
	keys := map[string][]string{}
	for _, t := range tags {
		keys["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], t.Key)
	}
	if len(transitive) > 0 {
		keys["sts:TransitiveTagKeys"] = slices.Clone(transitive)
	}
	return keys
}

// parseRole reads the ARN of a role.
func parseRole(name string) (account, role string, err error) {
	a, err := arn.Parse(name)
	path, ok := strings.CutPrefix(a.Resource, "role/")
	if err != nil || !ok || a.Partition != "aws" || a.Service != "iam" || a.Region != "" ||
		len(a.Account) != 12 || path == "" || strings.HasSuffix(path, "/") {
		return "", "", invalid("%s is invalid", name)
	}
	return a.Account, path[strings.LastIndexByte(path, '/')+1:], nil
}
