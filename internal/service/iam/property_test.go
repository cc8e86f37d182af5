package iam

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
)

// draw is what a random request names.
type draw struct {
	user, other, group, role, profile, policy, boundary, version string
	flag                                                         bool
}

func newDraw(r *rand.Rand) draw {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	return draw{
		user: pick("ann", "ANN", "bob"), other: pick("ann", "bob", "eve"),
		group: pick("one", "two"), role: pick("work", "rest"), profile: pick("box", "can"),
		policy: pick("arn:aws:iam::aws:policy/PowerUserAccess",
			"arn:aws:iam::"+home+":policy/p", "arn:aws:iam::"+home+":policy/q"),
		boundary: pick("", "arn:aws:iam::"+home+":policy/p"),
		version:  pick("v1", "v2", "v3"), flag: r.IntN(2) == 0,
	}
}

type step func(ctx context.Context, c api.Client, d draw) error

// people are steps about users, their keys and groups.
var people = map[string]step{
	"CreateUser": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreateUser(ctx, &api.CreateUserInput{UserName: d.user,
			PermissionsBoundary: d.boundary}))
	},
	"DeleteUser": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeleteUser(ctx, &api.DeleteUserInput{UserName: d.other}))
	},
	"UpdateUser": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.UpdateUser(ctx, &api.UpdateUserInput{UserName: d.user,
			NewUserName: d.other}))
	},
	"CreateAccessKey": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreateAccessKey(ctx, &api.CreateAccessKeyInput{UserName: d.user}))
	},
	"DeleteAccessKey": func(ctx context.Context, c api.Client, d draw) error {
		list, err := c.ListAccessKeys(ctx, &api.ListAccessKeysInput{UserName: d.other})
		if err != nil || len(list.AccessKeyMetadata) == 0 {
			return err
		}
		return second(c.DeleteAccessKey(ctx, &api.DeleteAccessKeyInput{UserName: d.other,
			AccessKeyId: list.AccessKeyMetadata[0].AccessKeyId}))
	},
	"CreateGroup": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreateGroup(ctx, &api.CreateGroupInput{GroupName: d.group}))
	},
	"DeleteGroup": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeleteGroup(ctx, &api.DeleteGroupInput{GroupName: d.group}))
	},
	"AddUserToGroup": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.AddUserToGroup(ctx, &api.AddUserToGroupInput{
			UserName: d.user, GroupName: d.group}))
	},
	"RemoveUserFromGroup": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.RemoveUserFromGroup(ctx, &api.RemoveUserFromGroupInput{
			UserName: d.other, GroupName: d.group}))
	},
}

// roles are steps about roles and instance profiles.
var roles = map[string]step{
	"CreateRole": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreateRole(ctx, &api.CreateRoleInput{RoleName: d.role,
			AssumeRolePolicyDocument: trusting("arn:aws:iam::" + home + ":user/" + d.other)}))
	},
	"DeleteRole": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: d.role}))
	},
	"CreateInstanceProfile": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreateInstanceProfile(ctx, &api.CreateInstanceProfileInput{
			InstanceProfileName: d.profile}))
	},
	"DeleteInstanceProfile": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeleteInstanceProfile(ctx, &api.DeleteInstanceProfileInput{
			InstanceProfileName: d.profile}))
	},
	"AddRoleToInstanceProfile": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.AddRoleToInstanceProfile(ctx, &api.AddRoleToInstanceProfileInput{
			InstanceProfileName: d.profile, RoleName: d.role}))
	},
	"RemoveRoleFromInstanceProfile": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.RemoveRoleFromInstanceProfile(ctx,
			&api.RemoveRoleFromInstanceProfileInput{
				InstanceProfileName: d.profile, RoleName: d.role}))
	},
	"AttachRolePolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.AttachRolePolicy(ctx, &api.AttachRolePolicyInput{
			RoleName: d.role, PolicyArn: d.policy}))
	},
	"DetachRolePolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DetachRolePolicy(ctx, &api.DetachRolePolicyInput{
			RoleName: d.role, PolicyArn: d.policy}))
	},
}

// policies are steps about policies and who has them.
var policies = map[string]step{
	"CreatePolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreatePolicy(ctx, &api.CreatePolicyInput{
			PolicyName: policyName(d.policy), PolicyDocument: allowAll}))
	},
	"DeletePolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeletePolicy(ctx, &api.DeletePolicyInput{PolicyArn: d.policy}))
	},
	"CreatePolicyVersion": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.CreatePolicyVersion(ctx, &api.CreatePolicyVersionInput{
			PolicyArn: d.policy, PolicyDocument: allowAll, SetAsDefault: &d.flag}))
	},
	"DeletePolicyVersion": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeletePolicyVersion(ctx, &api.DeletePolicyVersionInput{
			PolicyArn: d.policy, VersionId: d.version}))
	},
	"AttachUserPolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
			UserName: d.user, PolicyArn: d.policy}))
	},
	"DetachUserPolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DetachUserPolicy(ctx, &api.DetachUserPolicyInput{
			UserName: d.other, PolicyArn: d.policy}))
	},
	"AttachGroupPolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.AttachGroupPolicy(ctx, &api.AttachGroupPolicyInput{
			GroupName: d.group, PolicyArn: d.policy}))
	},
	"DetachGroupPolicy": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DetachGroupPolicy(ctx, &api.DetachGroupPolicyInput{
			GroupName: d.group, PolicyArn: d.policy}))
	},
	"PutUserPermissionsBoundary": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.PutUserPermissionsBoundary(ctx, &api.PutUserPermissionsBoundaryInput{
			UserName: d.user, PermissionsBoundary: d.policy}))
	},
	"DeleteUserPermissionsBoundary": func(ctx context.Context, c api.Client, d draw) error {
		return second(c.DeleteUserPermissionsBoundary(ctx,
			&api.DeleteUserPermissionsBoundaryInput{UserName: d.user}))
	},
}

// TestRandomSteps makes requests at random, of which many are refused: the state
// stays whole, nothing fails for an internal reason, and every step works at times.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	must(t, w.svc.EnsureRoot(ctx, home, func(AccessKey) error { return nil }))
	all := maps.Clone(people)
	maps.Copy(all, roles)
	maps.Copy(all, policies)
	names := slices.Sorted(maps.Keys(all))
	r := rand.New(rand.NewPCG(5, 2026))
	worked := map[string]int{}
	for n := range 3000 {
		name, d := names[r.IntN(len(names))], newDraw(r)
		err := all[name](ctx, root, d)
		if err == nil {
			worked[name]++
		} else if fault.KindOf(err) == fault.Internal {
			t.Fatalf("step %d, %s of %+v: %v", n, name, d, err)
		}
		if n%250 != 249 {
			continue
		}
		if problems := w.check(); len(problems) > 0 {
			t.Fatalf("after step %d, %s of %+v: %q", n, name, d, problems)
		}
	}
	for _, name := range names {
		if worked[name] == 0 {
			t.Errorf("%s never worked", name)
		}
	}
}
