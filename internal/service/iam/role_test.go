package iam

import (
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
)

// TestRoles: a role is described as it was made, and found by its name and id by
// those who let it be assumed.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	made, err := root.CreateRole(ctx, &api.CreateRoleInput{
		RoleName: "worker", Path: "/team/", AssumeRolePolicyDocument: trustHome,
		Description: new("works"), MaxSessionDuration: new(int32(7200)),
		Tags: []api.Tag{{Key: "team", Value: "one"}}})
	must(t, err)
	if r := made.Role; r.Arn != "arn:aws:iam::"+home+":role/team/worker" ||
		!strings.HasPrefix(r.RoleId, "AROA") || r.AssumeRolePolicyDocument != encoded(trustHome) ||
		*r.MaxSessionDuration != 7200 || r.Description != "works" || len(r.Tags) != 1 {
		t.Errorf("%+v", r)
	}
	must(t, second(root.PutRolePolicy(ctx, &api.PutRolePolicyInput{
		RoleName: "worker", PolicyName: "all", PolicyDocument: allowAll})))
	r, err := w.svc.Role(ctx, home, "WORKER")
	must(t, err)
	if r.ARN != made.Role.Arn || r.ID != made.Role.RoleId || r.MaxSession != 2*time.Hour ||
		r.Trust.Document == nil || len(r.Identity) != 1 ||
		r.Identity[0].Name != "role/worker/all" || r.Tags["team"] != "one" ||
		r.Boundary.Document != nil {
		t.Errorf("%+v", r)
	}
	must(t, second(root.UpdateAssumeRolePolicy(ctx, &api.UpdateAssumeRolePolicyInput{
		RoleName: "worker", PolicyDocument: strings.ReplaceAll(trustHome, "Allow", "Deny")})))
	must(t, second(root.UpdateRole(ctx, &api.UpdateRoleInput{
		RoleName: "worker", MaxSessionDuration: new(int32(3600))})))
	got, err := root.GetRole(ctx, &api.GetRoleInput{RoleName: "worker"})
	must(t, err)
	if r := got.Role; *r.MaxSessionDuration != 3600 || r.Description != "works" ||
		!strings.Contains(r.AssumeRolePolicyDocument, "Deny") {
		t.Errorf("%+v", r)
	}
	must(t, second(root.DeleteRolePolicy(ctx, &api.DeleteRolePolicyInput{
		RoleName: "worker", PolicyName: "all"})))
	must(t, second(root.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: "worker"})))
	if _, err := w.svc.Role(ctx, home, "worker"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a deleted role: %v", err)
	}
	if _, err := w.svc.Role(ctx, "444455556666", "worker"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a role of another account: %v", err)
	}
}

// TestProfiles: an instance profile has one role, which stays while it has it.
func TestProfiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	for _, name := range []string{"worker", "other"} {
		must(t, second(root.CreateRole(ctx, &api.CreateRoleInput{
			RoleName: name, AssumeRolePolicyDocument: trustHome})))
	}
	made, err := root.CreateInstanceProfile(ctx, &api.CreateInstanceProfileInput{
		InstanceProfileName: "box", Path: "/p/"})
	must(t, err)
	if p := made.InstanceProfile; p.Arn != "arn:aws:iam::"+home+":instance-profile/p/box" ||
		!strings.HasPrefix(p.InstanceProfileId, "AIPA") || p.Roles == nil {
		t.Errorf("%+v", p)
	}
	add := func(role string) error {
		return second(root.AddRoleToInstanceProfile(ctx, &api.AddRoleToInstanceProfileInput{
			InstanceProfileName: "box", RoleName: role}))
	}
	must(t, add("worker"))
	want(t, add("other"), "LimitExceeded",
		"Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	list, err := root.ListInstanceProfilesForRole(ctx, &api.ListInstanceProfilesForRoleInput{
		RoleName: "worker"})
	must(t, err)
	if len(list.InstanceProfiles) != 1 || list.InstanceProfiles[0].Roles[0].RoleName != "worker" {
		t.Errorf("%+v", list.InstanceProfiles)
	}
	_, err = root.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: "worker"})
	want(t, err, "DeleteConflict", "must remove roles from instance profile first.")
	_, err = root.DeleteInstanceProfile(ctx, &api.DeleteInstanceProfileInput{
		InstanceProfileName: "box"})
	want(t, err, "DeleteConflict", "must remove roles from instance profile first.")
	must(t, second(root.RemoveRoleFromInstanceProfile(ctx,
		&api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: "box", RoleName: "worker"})))
	must(t, second(root.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: "worker"})))
	must(t, second(root.DeleteInstanceProfile(ctx, &api.DeleteInstanceProfileInput{
		InstanceProfileName: "box"})))
	_, err = root.GetInstanceProfile(ctx, &api.GetInstanceProfileInput{
		InstanceProfileName: "box"})
	want(t, err, "NoSuchEntity", "Instance Profile box cannot be found.")
}

// TestLinkedRole: a role of a service is made and deleted as such, and changed in
// no other way.
func TestLinkedRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	const name = "AWSServiceRoleForAmazonMQ"
	create := &api.CreateServiceLinkedRoleInput{AWSServiceName: "mq.amazonaws.com"}
	made, err := root.CreateServiceLinkedRole(ctx, create)
	must(t, err)
	if made.Role.Arn != "arn:aws:iam::"+home+":role/aws-service-role/mq.amazonaws.com/"+name {
		t.Errorf("%+v", made.Role)
	}
	_, err = root.CreateServiceLinkedRole(ctx, create)
	want(t, err, "InvalidInput", "has been taken in this account")
	_, err = root.CreateServiceLinkedRole(ctx, &api.CreateServiceLinkedRoleInput{
		AWSServiceName: "nothing.amazonaws.com"})
	want(t, err, "InvalidInput", "")
	const managed = "arn:aws:iam::aws:policy/AdministratorAccess"
	for op, err := range map[string]error{
		"delete": second(root.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: name})),
		"trust": second(root.UpdateAssumeRolePolicy(ctx, &api.UpdateAssumeRolePolicyInput{
			RoleName: name, PolicyDocument: trustHome})),
		"attach": second(root.AttachRolePolicy(ctx, &api.AttachRolePolicyInput{
			RoleName: name, PolicyArn: managed})),
		"inline": second(root.PutRolePolicy(ctx, &api.PutRolePolicyInput{
			RoleName: name, PolicyName: "p", PolicyDocument: allowAll})),
		"boundary": second(root.PutRolePermissionsBoundary(ctx,
			&api.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: managed})),
	} {
		if err == nil {
			t.Errorf("%s works", op)
			continue
		}
		want(t, err, "UnmodifiableEntity", "this role is only modifiable by AWS")
	}
	gone, err := root.DeleteServiceLinkedRole(ctx, &api.DeleteServiceLinkedRoleInput{
		RoleName: name})
	must(t, err)
	status := func(task string) (string, error) {
		out, err := root.GetServiceLinkedRoleDeletionStatus(ctx,
			&api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: task})
		if err != nil {
			return "", err
		}
		return out.Status, nil
	}
	if s, err := status(gone.DeletionTaskId); err != nil || s != "SUCCEEDED" ||
		!strings.HasPrefix(gone.DeletionTaskId, "task/aws-service-role/mq.amazonaws.com/"+name) {
		t.Errorf("%q: %s, %v", gone.DeletionTaskId, s, err)
	}
	_, err = status("task/none")
	want(t, err, "NoSuchEntity", "")
	must(t, second(root.CreateServiceLinkedRole(ctx, create)))
}
