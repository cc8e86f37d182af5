package iam

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
)

// TestNames: names are unique without regard to case, kept as they were given, and
// free again after a rename or a deletion; who gets one anew inherits nothing.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	create := func(name string) (*api.User, error) {
		out, err := root.CreateUser(ctx, &api.CreateUserInput{UserName: name, Path: "/a/"})
		if err != nil {
			return nil, err
		}
		return out.User, nil
	}
	first, err := create("Alice")
	must(t, err)
	if first.Arn != "arn:aws:iam::"+home+":user/a/Alice" || len(first.UserId) != 21 ||
		!first.CreateDate.Equal(w.now) {
		t.Errorf("%+v", first)
	}
	_, err = create("aLICE")
	want(t, err, "EntityAlreadyExists", "User with name aLICE already exists.")
	got, err := root.GetUser(ctx, &api.GetUserInput{UserName: "ALICE"})
	must(t, err)
	if got.User.UserName != "Alice" || got.User.UserId != first.UserId {
		t.Errorf("%+v", got.User)
	}
	rename := func(from, to, path string) error {
		return second(root.UpdateUser(ctx, &api.UpdateUserInput{
			UserName: from, NewUserName: to, NewPath: path}))
	}
	must(t, rename("Alice", "ALICE", ""))
	must(t, rename("alice", "bob", "/b/"))
	_, err = root.GetUser(ctx, &api.GetUserInput{UserName: "alice"})
	want(t, err, "NoSuchEntity", "The user with name alice cannot be found.")
	second1, err := create("alice")
	must(t, err)
	want(t, rename("alice", "BOB", ""), "EntityAlreadyExists", "User with name BOB already exists.")
	got, err = root.GetUser(ctx, &api.GetUserInput{UserName: "bob"})
	must(t, err)
	if got.User.UserId != first.UserId || got.User.Arn != "arn:aws:iam::"+home+":user/b/bob" {
		t.Errorf("%+v", got.User)
	}
	if second1.UserId == first.UserId {
		t.Error("a unique id was given twice")
	}
	// Names of kinds and of accounts are apart.
	must(t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "alice"})))
	must(t, second(w.root("444455556666").CreateUser(ctx,
		&api.CreateUserInput{UserName: "alice"})))
}

// TestDeleteConflicts: nothing is deleted that something else belongs to.
func TestDeleteConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	key := w.user("alice")
	const managed = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
	must(t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "staff"})))
	must(t, second(root.AddUserToGroup(ctx, &api.AddUserToGroupInput{
		GroupName: "staff", UserName: "alice"})))
	must(t, second(root.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
		UserName: "alice", PolicyArn: managed})))
	must(t, second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
		UserName: "alice", PolicyName: "own", PolicyDocument: allowAll})))
	remove := func(text string) {
		t.Helper()
		_, err := root.DeleteUser(ctx, &api.DeleteUserInput{UserName: "alice"})
		want(t, err, "DeleteConflict", text)
	}
	remove("Cannot delete entity, must remove users from group first.")
	_, err := root.DeleteGroup(ctx, &api.DeleteGroupInput{GroupName: "staff"})
	want(t, err, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	must(t, second(root.RemoveUserFromGroup(ctx, &api.RemoveUserFromGroupInput{
		GroupName: "staff", UserName: "alice"})))
	must(t, second(root.DeleteGroup(ctx, &api.DeleteGroupInput{GroupName: "staff"})))
	remove("Cannot delete entity, must delete access keys first.")
	must(t, second(root.DeleteAccessKey(ctx, &api.DeleteAccessKeyInput{
		UserName: "alice", AccessKeyId: key.AccessKeyId})))
	remove("Cannot delete entity, must detach all policies first.")
	must(t, second(root.DetachUserPolicy(ctx, &api.DetachUserPolicyInput{
		UserName: "alice", PolicyArn: managed})))
	remove("Cannot delete entity, must delete policies first.")
	must(t, second(root.DeleteUserPolicy(ctx, &api.DeleteUserPolicyInput{
		UserName: "alice", PolicyName: "own"})))
	must(t, second(root.DeleteUser(ctx, &api.DeleteUserInput{UserName: "alice"})))
	_, err = root.GetUser(ctx, &api.GetUserInput{UserName: "alice"})
	want(t, err, "NoSuchEntity", "")
}

// TestPages walks a listing in pages of any size while entries come and go: what
// was there all the time is given once, in order.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	var all []string
	for i := range 23 {
		name := fmt.Sprintf("user-%02d", i*7%23)
		all = append(all, name)
		must(t, second(root.CreateUser(ctx, &api.CreateUserInput{
			UserName: name, Path: "/some/"})))
	}
	slices.Sort(all)
	must(t, second(root.CreateUser(ctx, &api.CreateUserInput{UserName: "user-elsewhere"})))
	for _, size := range []int32{1, 4, 22, 23, 24, 1000} {
		var got []string
		in := &api.ListUsersInput{PathPrefix: "/some/", MaxItems: &size}
		for n := 0; ; n++ {
			out, err := root.ListUsers(ctx, in)
			must(t, err)
			for _, u := range out.Users {
				if !strings.HasSuffix(u.UserName, "x") {
					got = append(got, u.UserName)
				}
			}
			if !*out.IsTruncated {
				break
			}
			in.Marker = out.Marker
			if n >= len(all) {
				continue
			}
			extra := fmt.Sprintf("user-%02d-%d-x", n*5%23, size)
			must(t, second(root.CreateUser(ctx, &api.CreateUserInput{
				UserName: extra, Path: "/some/"})))
			defer root.DeleteUser(ctx, &api.DeleteUserInput{UserName: extra})
		}
		if !slices.Equal(got, all) {
			t.Errorf("pages of %d: %q", size, got)
		}
	}
	out, err := root.ListUsers(ctx, &api.ListUsersInput{MaxItems: new(int32(1))})
	must(t, err)
	for _, marker := range []string{"x", out.Marker + "A", out.Marker[:len(out.Marker)-2], "~~~~"} {
		_, err := root.ListUsers(ctx, &api.ListUsersInput{Marker: marker})
		if err == nil || err.Error() != "Invalid Marker." {
			t.Errorf("marker %q: %v", marker, err)
		}
	}
	_, err = root.ListUsers(ctx, &api.ListUsersInput{PathPrefix: "/some/", Marker: out.Marker})
	if err == nil {
		t.Error("a marker of another listing was taken")
	}
	_, err = w.root("444455556666").ListUsers(ctx, &api.ListUsersInput{Marker: out.Marker})
	if err == nil {
		t.Error("a marker of another account was taken")
	}
}

// TestTags: keys have no case, and their pages are of markers that fit.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	tagged := func(tags ...api.Tag) error {
		return second(root.TagUser(ctx, &api.TagUserInput{UserName: "alice", Tags: tags}))
	}
	long := strings.Repeat("ü", 127)
	for i := range 10 {
		must(t, tagged(api.Tag{Key: long + string(rune('a'+i)), Value: "v"}))
	}
	must(t, tagged(api.Tag{Key: "Team", Value: "one"}, api.Tag{Key: "empty"}))
	must(t, tagged(api.Tag{Key: "team", Value: "two"}))
	want(t, tagged(api.Tag{Key: "a"}, api.Tag{Key: "A"}), "InvalidInput", "Duplicate tag keys")
	want(t, tagged(api.Tag{Key: "AWS:x"}), "InvalidInput", "")
	var got []api.Tag
	in := &api.ListUserTagsInput{UserName: "alice", MaxItems: new(int32(5))}
	for {
		out, err := root.ListUserTags(ctx, in)
		must(t, err)
		got = append(got, out.Tags...)
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.Marker
	}
	if len(got) != 12 || got[0].Key != "empty" || got[1] != (api.Tag{Key: "team", Value: "two"}) {
		t.Errorf("%d tags: %v", len(got), got[:2])
	}
	must(t, second(root.UntagUser(ctx, &api.UntagUserInput{
		UserName: "alice", TagKeys: []string{"TEAM", "nothing"}})))
	user, err := root.GetUser(ctx, &api.GetUserInput{UserName: "alice"})
	must(t, err)
	if len(user.User.Tags) != 11 {
		t.Errorf("%d tags", len(user.User.Tags))
	}
	for i := range 39 {
		must(t, tagged(api.Tag{Key: fmt.Sprint("n", i)}))
	}
	want(t, tagged(api.Tag{Key: "one too many"}), "LimitExceeded", "")
}

// TestListingsLeaveOut: boundary and tags are told of one user, not of each in a list.
func TestListingsLeaveOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	const boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
	tags := []api.Tag{{Key: "team", Value: "red"}}
	must(t, second(root.CreateUser(ctx, &api.CreateUserInput{
		UserName: "alice", PermissionsBoundary: boundary, Tags: tags})))
	must(t, second(root.CreateRole(ctx, &api.CreateRoleInput{RoleName: "worker",
		AssumeRolePolicyDocument: trustHome, PermissionsBoundary: boundary, Tags: tags})))
	users, err := root.ListUsers(ctx, &api.ListUsersInput{})
	must(t, err)
	roles, err := root.ListRoles(ctx, &api.ListRolesInput{})
	must(t, err)
	if u, r := users.Users[0], roles.Roles[0]; u.PermissionsBoundary != nil || u.Tags != nil ||
		r.PermissionsBoundary != nil || r.Tags != nil {
		t.Errorf("%+v, %+v", u, r)
	}
	user, err := root.GetUser(ctx, &api.GetUserInput{UserName: "alice"})
	must(t, err)
	role, err := root.GetRole(ctx, &api.GetRoleInput{RoleName: "worker"})
	must(t, err)
	if user.User.PermissionsBoundary.PermissionsBoundaryArn != boundary ||
		role.Role.PermissionsBoundary.PermissionsBoundaryArn != boundary ||
		len(user.User.Tags)+len(role.Role.Tags) != 2 {
		t.Errorf("%+v, %+v", user.User, role.Role)
	}
}
