package iam

import (
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/policy"
)

// trusting is a trust policy for one principal.
func trusting(name string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
		name + `"},"Action":"sts:AssumeRole"}]}`
}

// TestTrust: a role trusts who was named and not who takes the name later; who is
// renamed is trusted still, and who is not there cannot be named.
func TestTrust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	must(t, w.svc.EnsureRoot(ctx, home, func(AccessKey) error { return nil }))
	create := func(role, name string) error {
		return second(root.CreateRole(ctx, &api.CreateRoleInput{
			RoleName: role, AssumeRolePolicyDocument: trusting(name)}))
	}
	user := func() policy.Principal {
		t.Helper()
		out, err := root.CreateUser(ctx, &api.CreateUserInput{UserName: "alice"})
		must(t, err)
		return policy.Principal{Kind: policy.User, Account: home, Name: "alice",
			ARN: out.User.Arn, UserID: out.User.UserId}
	}
	trusted := func(who policy.Principal) bool {
		t.Helper()
		r, err := w.svc.Role(ctx, home, "r")
		must(t, err)
		d := policy.Evaluate(policy.Request{Principal: who, Action: "sts:AssumeRole",
			Resource: r.ARN, ResourcePolicy: r.Trust, RootOfTrust: true})
		return d.Allowed
	}
	shown := func() string {
		t.Helper()
		out, err := root.GetRole(ctx, &api.GetRoleInput{RoleName: "r"})
		must(t, err)
		return out.Role.AssumeRolePolicyDocument
	}
	arnOf := func(name string) string { return "arn:aws:iam::" + home + ":user/" + name }
	want(t, create("r", arnOf("alice")), "MalformedPolicyDocument",
		`Invalid principal in policy: "AWS":"`+arnOf("alice")+`"`)
	must(t, create("elsewhere", "arn:aws:iam::444455556666:user/alice"))
	first := user()
	must(t, create("r", arnOf("alice")))
	if !trusted(first) || shown() != encoded(trusting(arnOf("alice"))) {
		t.Errorf("trusted %v, shown %s", trusted(first), shown())
	}
	must(t, second(root.UpdateUser(ctx, &api.UpdateUserInput{
		UserName: "alice", NewUserName: "bob"})))
	anew := user()
	first.Name, first.ARN = "bob", arnOf("bob")
	if !trusted(first) || trusted(anew) || shown() != encoded(trusting(arnOf("bob"))) {
		t.Errorf("renamed %v, anew %v, shown %s", trusted(first), trusted(anew), shown())
	}
	must(t, second(root.DeleteUser(ctx, &api.DeleteUserInput{UserName: "bob"})))
	if trusted(anew) || !strings.Contains(shown(), first.UserID) {
		t.Errorf("anew %v, shown %s", trusted(anew), shown())
	}
	must(t, second(root.UpdateAssumeRolePolicy(ctx, &api.UpdateAssumeRolePolicyInput{
		RoleName: "r", PolicyDocument: trusting(arnOf("alice"))})))
	if !trusted(anew) {
		t.Error("who was named is not trusted")
	}
}
