package iam

import (
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
)

// limited is a user with one policy, and a call that it may or may not make.
func limited(t *testing.T, document string) (*world, func() api.Client) {
	t.Helper()
	w := newWorld(t)
	key := w.user("admin")
	must(t, second(w.root(home).PutUserPolicy(t.Context(), &api.PutUserPolicyInput{
		UserName: "admin", PolicyName: "p", PolicyDocument: document})))
	return w, func() api.Client { return w.as(w.holder(key)) }
}

func wantDenied(t *testing.T, err error, text string) {
	t.Helper()
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), text) {
		t.Errorf("%v; want a denial with %q", err, text)
	}
}

// TestDelegation: who may make users only within a boundary can do so, and can
// neither make one without nor take it away.
func TestDelegation(t *testing.T) {
	t.Parallel()
	const boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
	_, as := limited(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Action":["iam:CreateUser","iam:PutUserPolicy","iam:AttachUserPolicy"],`+
		`"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+boundary+
		`"}}},{"Effect":"Allow","Action":"iam:DeleteUserPermissionsBoundary","Resource":"*",`+
		`"Condition":{"StringNotEquals":{"iam:PermissionsBoundary":"`+boundary+`"}}}]}`)
	c, ctx := as(), t.Context()
	_, err := c.CreateUser(ctx, &api.CreateUserInput{UserName: "free"})
	wantDenied(t, err, "iam:CreateUser on resource: arn:aws:iam::"+home+":user/free")
	_, err = c.CreateUser(ctx, &api.CreateUserInput{UserName: "free",
		PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess"})
	wantDenied(t, err, "iam:CreateUser")
	must(t, second(c.CreateUser(ctx, &api.CreateUserInput{UserName: "bound",
		PermissionsBoundary: boundary})))
	must(t, second(c.PutUserPolicy(ctx, &api.PutUserPolicyInput{
		UserName: "bound", PolicyName: "p", PolicyDocument: allowAll})))
	_, err = c.DeleteUserPermissionsBoundary(ctx,
		&api.DeleteUserPermissionsBoundaryInput{UserName: "bound"})
	wantDenied(t, err, "iam:DeleteUserPermissionsBoundary")
	_, err = c.PutUserPolicy(ctx, &api.PutUserPolicyInput{
		UserName: "admin", PolicyName: "p2", PolicyDocument: allowAll})
	wantDenied(t, err, "iam:PutUserPolicy")
}

// TestAttachOnly: which policy is attached is for conditions to see.
func TestAttachOnly(t *testing.T) {
	t.Parallel()
	const may = "arn:aws:iam::aws:policy/AmazonMQReadOnlyAccess"
	w, as := limited(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Action":"iam:AttachUserPolicy","Resource":"arn:aws:iam::*:user/team/*",`+
		`"Condition":{"ArnEquals":{"iam:PolicyARN":"`+may+`"}}}]}`)
	c, ctx := as(), t.Context()
	must(t, second(w.root(home).CreateUser(ctx,
		&api.CreateUserInput{UserName: "ours", Path: "/team/"})))
	attach := func(user, name string) error {
		return second(c.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
			UserName: user, PolicyArn: name}))
	}
	must(t, attach("OURS", may))
	wantDenied(t, attach("ours", "arn:aws:iam::aws:policy/AdministratorAccess"), "user/team/ours")
	wantDenied(t, attach("admin", may), "user/admin")
	wantDenied(t, attach("nobody", may), "user/nobody")
}

// TestTagConditions: tags of the request and of the user decide, and to tag what is
// made is a permission of its own.
func TestTagConditions(t *testing.T) {
	t.Parallel()
	w, as := limited(t, `{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":"iam:CreateUser","Resource":"*"},`+
		`{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{`+
		`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team}"}}},`+
		`{"Effect":"Allow","Action":"iam:DeleteUser","Resource":"*","Condition":{`+
		`"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}}]}`)
	ctx := t.Context()
	create := func(name, team string) error {
		in := &api.CreateUserInput{UserName: name}
		if team != "" {
			in.Tags = []api.Tag{{Key: "team", Value: team}}
		}
		return second(as().CreateUser(ctx, in))
	}
	wantDenied(t, create("a", "red"), "iam:TagUser")
	must(t, second(w.root(home).TagUser(ctx, &api.TagUserInput{
		UserName: "admin", Tags: []api.Tag{{Key: "team", Value: "red"}}})))
	must(t, create("a", "red"))
	wantDenied(t, create("b", "blue"), "iam:TagUser")
	must(t, create("c", ""))
	_, err := as().DeleteUser(ctx, &api.DeleteUserInput{UserName: "c"})
	wantDenied(t, err, "user/c")
	must(t, second(as().DeleteUser(ctx, &api.DeleteUserInput{UserName: "a"})))
}

// TestMove: who may rename and move users or groups under one path can put none under
// another, nor give one a name there.
func TestMove(t *testing.T) {
	t.Parallel()
	w, as := limited(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Action":["iam:UpdateUser","iam:UpdateGroup"],"Resource":["arn:aws:iam::*:user/team/*",`+
		`"arn:aws:iam::*:group/team/*"]}]}`)
	root, ctx := w.root(home), t.Context()
	for name, path := range map[string]string{"ours": "/team/", "theirs": "/"} {
		must(t, second(root.CreateUser(ctx, &api.CreateUserInput{UserName: name, Path: path})))
		must(t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: name, Path: path})))
	}
	c := as()
	for _, m := range []struct{ from, name, path, denied string }{
		{"ours", "", "/admins/", "/admins/ours"}, {"ours", "x", "/", "/x"},
		{"theirs", "", "/team/", "/theirs"}, {"theirs", "x", "", "/theirs"},
		{"ours", "mine", "/team/sub/", ""}, {"mine", "ours", "", ""}, {"none", "x", "", "/none"},
	} {
		user := second(c.UpdateUser(ctx, &api.UpdateUserInput{
			UserName: m.from, NewUserName: m.name, NewPath: m.path}))
		group := second(c.UpdateGroup(ctx, &api.UpdateGroupInput{
			GroupName: m.from, NewGroupName: m.name, NewPath: m.path}))
		if m.denied == "" {
			must(t, user)
			must(t, group)
			continue
		}
		wantDenied(t, user, "iam:UpdateUser on resource: arn:aws:iam::"+home+":user"+m.denied)
		wantDenied(t, group, "iam:UpdateGroup on resource: arn:aws:iam::"+home+":group"+m.denied)
	}
}

// TestPassRole: to put a role into an instance profile one must be allowed to pass
// the role.
func TestPassRole(t *testing.T) {
	t.Parallel()
	w, as := limited(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Action":"iam:AddRoleToInstanceProfile","Resource":"*"},{"Effect":"Allow",`+
		`"Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/team/*"}]}`)
	root, ctx := w.root(home), t.Context()
	for name, path := range map[string]string{"ours": "/team/", "theirs": "/"} {
		must(t, second(root.CreateRole(ctx, &api.CreateRoleInput{
			RoleName: name, Path: path, AssumeRolePolicyDocument: trustHome})))
	}
	must(t, second(root.CreateInstanceProfile(ctx, &api.CreateInstanceProfileInput{
		InstanceProfileName: "box"})))
	add := func(role string) error {
		return second(as().AddRoleToInstanceProfile(ctx, &api.AddRoleToInstanceProfileInput{
			InstanceProfileName: "box", RoleName: role}))
	}
	wantDenied(t, add("theirs"), "iam:PassRole on resource: arn:aws:iam::"+home+":role/theirs")
	must(t, add("ours"))
}

// TestReadOnly: AWS's policy for readers reads everything and changes nothing.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	w, as := limited(t, deny("nothing:AtAll"))
	must(t, second(w.root(home).AttachUserPolicy(t.Context(), &api.AttachUserPolicyInput{
		UserName: "admin", PolicyArn: "arn:aws:iam::aws:policy/IAMReadOnlyAccess"})))
	c, ctx := as(), t.Context()
	must(t, second(c.GetPolicy(ctx, &api.GetPolicyInput{
		PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess"})))
	must(t, second(c.GetUser(ctx, &api.GetUserInput{})))
	must(t, second(c.ListRoles(ctx, &api.ListRolesInput{})))
	must(t, second(c.GetAccountSummary(ctx, &api.GetAccountSummaryInput{})))
	must(t, second(c.GetAccountAuthorizationDetails(ctx,
		&api.GetAccountAuthorizationDetailsInput{})))
	_, err := c.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "g"})
	wantDenied(t, err, "group/g")
}

// TestLinkedRoleAccess: who may make the role of one service may make no other's.
func TestLinkedRoleAccess(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::" + home + ":role/aws-service-role/mq.amazonaws.com/" +
		"AWSServiceRoleForAmazonMQ"
	_, as := limited(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Action":"iam:*ServiceLinkedRole*","Resource":"`+role+`"}]}`)
	c, ctx := as(), t.Context()
	create := func(service string) error {
		return second(c.CreateServiceLinkedRole(ctx,
			&api.CreateServiceLinkedRoleInput{AWSServiceName: service}))
	}
	wantDenied(t, create("ecs.amazonaws.com"), "role/aws-service-role/ecs.amazonaws.com/")
	must(t, create("mq.amazonaws.com"))
	gone, err := c.DeleteServiceLinkedRole(ctx, &api.DeleteServiceLinkedRoleInput{
		RoleName: "AWSServiceRoleForAmazonMQ"})
	must(t, err)
	must(t, second(c.GetServiceLinkedRoleDeletionStatus(ctx,
		&api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: gone.DeletionTaskId})))
	_, err = c.GetServiceLinkedRoleDeletionStatus(ctx,
		&api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: "task/aws-service-role/x/y/z"})
	wantDenied(t, err, "role/aws-service-role/x/y")
}
