package iam

import (
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
)

const noIdentityPolicy = "because no identity-based policy allows the iam:ListGroups action"

// lister is a user whose permission to list groups is asked for.
type lister struct {
	*world
	key  *api.AccessKey
	root api.Client
}

func newLister(t *testing.T) *lister {
	w := newWorld(t)
	return &lister{w, w.user("alice"), w.root(home)}
}

func (l *lister) try() error {
	l.t.Helper()
	return second(l.as(l.holder(l.key)).ListGroups(l.t.Context(), &api.ListGroupsInput{}))
}

func (l *lister) allowed() { l.t.Helper(); must(l.t, l.try()) }

func (l *lister) refused(text string) {
	l.t.Helper()
	if err := l.try(); err == nil || fault.KindOf(err) != fault.Denied ||
		!strings.Contains(err.Error(), text) {
		l.t.Errorf("%v; want %q", err, text)
	}
}

// TestDecideInline: a user may nothing by default, what an inline policy allows
// counts at once, and an explicit deny wins (acceptance IAM-01).
func TestDecideInline(t *testing.T) {
	t.Parallel()
	l, ctx := newLister(t), t.Context()
	put := func(name, text string) {
		t.Helper()
		must(t, second(l.root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
			UserName: "alice", PolicyName: name, PolicyDocument: text})))
	}
	remove := func(name string) {
		t.Helper()
		must(t, second(l.root.DeleteUserPolicy(ctx, &api.DeleteUserPolicyInput{
			UserName: "alice", PolicyName: name})))
	}
	l.refused(noIdentityPolicy)
	put("own", allow("iam:ListGroups"))
	l.allowed()
	put("never", deny("iam:List*"))
	l.refused("with an explicit deny in an identity-based policy")
	remove("never")
	l.allowed()
	remove("own")
	l.refused(noIdentityPolicy)
}

// TestDecideManaged: managed policies count by their default version, policies of
// groups count for members, and a boundary cuts.
func TestDecideManaged(t *testing.T) {
	t.Parallel()
	l, ctx := newLister(t), t.Context()
	root := l.root
	p, err := root.CreatePolicy(ctx, &api.CreatePolicyInput{
		PolicyName: "lister", PolicyDocument: allow("iam:ListUsers")})
	must(t, err)
	name := p.Policy.Arn
	must(t, second(root.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
		UserName: "alice", PolicyArn: name})))
	l.refused(noIdentityPolicy)
	must(t, second(root.CreatePolicyVersion(ctx, &api.CreatePolicyVersionInput{
		PolicyArn: name, PolicyDocument: allow("iam:ListGroups"), SetAsDefault: new(true)})))
	l.allowed()
	must(t, second(root.SetDefaultPolicyVersion(ctx, &api.SetDefaultPolicyVersionInput{
		PolicyArn: name, VersionId: "v1"})))
	l.refused(noIdentityPolicy)

	must(t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "staff"})))
	must(t, second(root.AttachGroupPolicy(ctx, &api.AttachGroupPolicyInput{
		GroupName: "staff", PolicyArn: "arn:aws:iam::aws:policy/IAMReadOnlyAccess"})))
	l.refused(noIdentityPolicy)
	must(t, second(root.AddUserToGroup(ctx, &api.AddUserToGroupInput{
		GroupName: "staff", UserName: "alice"})))
	l.allowed()

	must(t, second(root.PutUserPermissionsBoundary(ctx, &api.PutUserPermissionsBoundaryInput{
		UserName: "alice", PermissionsBoundary: name})))
	l.refused("because no permissions boundary allows the iam:ListGroups action")
	must(t, second(root.DeleteUserPermissionsBoundary(ctx,
		&api.DeleteUserPermissionsBoundaryInput{UserName: "alice"})))
	l.allowed()
	must(t, second(root.RemoveUserFromGroup(ctx, &api.RemoveUserFromGroupInput{
		GroupName: "staff", UserName: "alice"})))
	l.refused(noIdentityPolicy)
}
