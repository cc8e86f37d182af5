package iam

import (
	"testing"

	api "coffer/internal/aws/api/iam"
)

// furnish makes one of each.
func (w *world) furnish() {
	w.t.Helper()
	root, ctx := w.root(home), w.t.Context()
	w.user("alice")
	p := w.policyOf("p", allowAll)
	must(w.t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "staff"})))
	must(w.t, second(root.AddUserToGroup(ctx, &api.AddUserToGroupInput{
		GroupName: "staff", UserName: "alice"})))
	must(w.t, second(root.PutGroupPolicy(ctx, &api.PutGroupPolicyInput{
		GroupName: "staff", PolicyName: "in", PolicyDocument: allowAll})))
	must(w.t, second(root.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
		UserName: "alice", PolicyArn: p})))
	must(w.t, second(root.CreateRole(ctx, &api.CreateRoleInput{
		RoleName: "worker", AssumeRolePolicyDocument: trustHome,
		PermissionsBoundary: "arn:aws:iam::aws:policy/PowerUserAccess"})))
	must(w.t, second(root.CreateInstanceProfile(ctx, &api.CreateInstanceProfileInput{
		InstanceProfileName: "box"})))
	must(w.t, second(root.AddRoleToInstanceProfile(ctx, &api.AddRoleToInstanceProfileInput{
		InstanceProfileName: "box", RoleName: "worker"})))
}

// TestDetails: pages of any size together show everything once.
func TestDetails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.furnish()
	for _, size := range []int32{1, 2, 5, 100} {
		var all api.GetAccountAuthorizationDetailsOutput
		in := &api.GetAccountAuthorizationDetailsInput{MaxItems: &size}
		for {
			out, err := w.root(home).GetAccountAuthorizationDetails(t.Context(), in)
			must(t, err)
			all.UserDetailList = append(all.UserDetailList, out.UserDetailList...)
			all.GroupDetailList = append(all.GroupDetailList, out.GroupDetailList...)
			all.RoleDetailList = append(all.RoleDetailList, out.RoleDetailList...)
			all.Policies = append(all.Policies, out.Policies...)
			if !*out.IsTruncated {
				break
			}
			in.Marker = out.Marker
		}
		if len(all.UserDetailList) != 1 || len(all.GroupDetailList) != 1 ||
			len(all.RoleDetailList) != 1 || len(all.Policies) != 2 {
			t.Fatalf("pages of %d: %+v", size, all)
		}
		u, g, r := all.UserDetailList[0], all.GroupDetailList[0], all.RoleDetailList[0]
		if u.GroupList[0] != "staff" || u.AttachedManagedPolicies[0].PolicyName != "p" ||
			g.GroupPolicyList[0].PolicyDocument != encoded(allowAll) ||
			r.InstanceProfileList[0].InstanceProfileName != "box" ||
			r.PermissionsBoundary == nil {
			t.Errorf("%+v\n%+v\n%+v", u, g, r)
		}
		if p := all.Policies; p[0].PolicyName != "p" || *p[0].AttachmentCount != 1 ||
			len(p[0].PolicyVersionList) != 1 || p[1].PolicyName != "PowerUserAccess" {
			t.Errorf("%+v", p)
		}
	}
	out, err := w.root(home).GetAccountAuthorizationDetails(t.Context(),
		&api.GetAccountAuthorizationDetailsInput{Filter: []string{"Role"}})
	must(t, err)
	if len(out.RoleDetailList) != 1 || len(out.UserDetailList)+len(out.Policies) != 0 {
		t.Errorf("%+v", out)
	}
}

// TestSummary counts what is there.
func TestSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.furnish()
	for name, user := range map[string]string{"phone": "alice", "spare": ""} {
		if k := w.token(name); user != "" {
			must(t, k.enable(user))
		}
	}
	out, err := w.root(home).GetAccountSummary(t.Context(), &api.GetAccountSummaryInput{})
	must(t, err)
	for name, n := range map[string]int32{
		"Users": 1, "Groups": 1, "Roles": 1, "Policies": 1, "InstanceProfiles": 1,
		"PolicyVersionsInUse": 1, "UsersQuota": 5000, "AccessKeysPerUserQuota": 2,
		"AccountAccessKeysPresent": 0, "PolicySizeQuota": 6144,
		"MFADevices": 2, "MFADevicesInUse": 1, "AccountMFAEnabled": 0,
	} {
		if got, ok := out.SummaryMap[name]; !ok || got != n {
			t.Errorf("%s: %d, want %d", name, got, n)
		}
	}
}

// TestAlias: an account has one, which no other can have at the same time.
func TestAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, other, ctx := w.root(home), w.root("444455556666"), t.Context()
	create := func(c api.Client, name string) error {
		return second(c.CreateAccountAlias(ctx, &api.CreateAccountAliasInput{AccountAlias: name}))
	}
	must(t, create(root, "first"))
	want(t, create(other, "first"), "EntityAlreadyExists",
		"The account alias first already exists.")
	must(t, create(root, "second"))
	must(t, create(other, "first"))
	list, err := root.ListAccountAliases(ctx, &api.ListAccountAliasesInput{})
	must(t, err)
	if len(list.AccountAliases) != 1 || list.AccountAliases[0] != "second" {
		t.Errorf("%q", list.AccountAliases)
	}
	remove := func(name string) error {
		return second(root.DeleteAccountAlias(ctx, &api.DeleteAccountAliasInput{
			AccountAlias: name}))
	}
	want(t, remove("first"), "NoSuchEntity", "")
	must(t, remove("second"))
	must(t, create(other, "second"))
}
