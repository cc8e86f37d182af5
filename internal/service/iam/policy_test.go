package iam

import (
	"net/url"
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// policyOf makes a managed policy.
func (w *world) policyOf(name, text string) string {
	w.t.Helper()
	out, err := w.root(home).CreatePolicy(w.t.Context(), &api.CreatePolicyInput{
		PolicyName: name, PolicyDocument: text, Path: "/team/"})
	must(w.t, err)
	return out.Policy.Arn
}

// TestVersions: five at most, ids are not given twice, the default one stays, and
// documents come back as they were put.
func TestVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	text := strings.ReplaceAll(allowAll, ":", " :\n ")
	name := w.policyOf("all", text)
	if name != "arn:aws:iam::"+home+":policy/team/all" {
		t.Error(name)
	}
	add := func() (string, error) {
		out, err := root.CreatePolicyVersion(ctx, &api.CreatePolicyVersionInput{
			PolicyArn: name, PolicyDocument: deny("*")})
		if err != nil {
			return "", err
		}
		return out.PolicyVersion.VersionId, nil
	}
	remove := func(id string) error {
		return second(root.DeletePolicyVersion(ctx, &api.DeletePolicyVersionInput{
			PolicyArn: name, VersionId: id}))
	}
	for _, id := range []string{"v2", "v3", "v4", "v5"} {
		if got, err := add(); err != nil || got != id {
			t.Errorf("%s, %v; want %s", got, err, id)
		}
	}
	_, err := add()
	want(t, err, "LimitExceeded", "A managed policy can have up to 5 versions.")
	must(t, remove("v5"))
	if got, err := add(); err != nil || got != "v6" {
		t.Errorf("%s, %v; want v6", got, err)
	}
	want(t, remove("v1"), "DeleteConflict", "Cannot delete the default version of a policy.")
	want(t, remove("v5"), "NoSuchEntity", "")
	_, err = root.DeletePolicy(ctx, &api.DeletePolicyInput{PolicyArn: name})
	want(t, err, "DeleteConflict", "This policy has more than one version.")
	got, err := root.GetPolicyVersion(ctx, &api.GetPolicyVersionInput{
		PolicyArn: name, VersionId: "v1"})
	must(t, err)
	v := got.PolicyVersion
	if back, err := url.PathUnescape(v.Document); err != nil || back != text ||
		!*v.IsDefaultVersion || strings.ContainsAny(v.Document, " +\"{:*") {
		t.Errorf("%q, %v", v.Document, err)
	}
	list, err := root.ListPolicyVersions(ctx, &api.ListPolicyVersionsInput{
		PolicyArn: name, MaxItems: new(int32(3))})
	must(t, err)
	rest, err := root.ListPolicyVersions(ctx, &api.ListPolicyVersionsInput{
		PolicyArn: name, Marker: list.Marker})
	must(t, err)
	ids := ""
	for _, v := range append(list.Versions, rest.Versions...) {
		ids += v.VersionId
	}
	if ids != "v6v4v3v2v1" {
		t.Error(ids)
	}
}

// TestPolicySizes: white space between the parts does not count, and inline
// policies count together.
func TestPolicySizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	sized := func(n int) string {
		const head = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::`
		const tail = `"}]}`
		return head + strings.Repeat("a", n-len(head)-len(tail)) + tail
	}
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{sized(2048), true}, {sized(2049), false},
		{strings.ReplaceAll(sized(2048), ",", ",\n\t   "), true},
	} {
		err := second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
			UserName: "alice", PolicyName: "a", PolicyDocument: c.text}))
		if c.ok {
			must(t, err)
		} else {
			want(t, err, "LimitExceeded",
				"Maximum policy size of 2048 bytes exceeded for user alice")
		}
	}
	err := second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
		UserName: "alice", PolicyName: "b", PolicyDocument: sized(100)}))
	want(t, err, "LimitExceeded", "Maximum policy size")
	managed := allow(strings.Split(strings.Repeat("aa:bbbbb,", 600)+"a:c", ",")...)
	if length(managed) <= maxManaged {
		t.Fatal("the document is not long enough")
	}
	_, err = root.CreatePolicy(ctx, &api.CreatePolicyInput{
		PolicyName: "long", PolicyDocument: managed})
	want(t, err, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
}

// TestMalformed: documents that say nothing or too much are refused everywhere.
func TestMalformed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	name := w.policyOf("all", allowAll)
	for _, text := range []string{
		"{}", "not json", trustHome, `{"Statement":[]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Colour":"red"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*"}]}`,
	} {
		for op, err := range map[string]error{
			"user": second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
				UserName: "alice", PolicyName: "p", PolicyDocument: text})),
			"managed": second(root.CreatePolicy(ctx, &api.CreatePolicyInput{
				PolicyName: "p", PolicyDocument: text})),
			"version": second(root.CreatePolicyVersion(ctx, &api.CreatePolicyVersionInput{
				PolicyArn: name, PolicyDocument: text})),
		} {
			if err == nil {
				t.Errorf("%s takes %s", op, text)
				continue
			}
			want(t, err, "MalformedPolicyDocument", "")
		}
	}
	_, err := root.CreateRole(ctx, &api.CreateRoleInput{
		RoleName: "r", AssumeRolePolicyDocument: allowAll})
	want(t, err, "MalformedPolicyDocument", "")
	_, err = root.GetRole(ctx, &api.GetRoleInput{RoleName: "r"})
	want(t, err, "NoSuchEntity", "The role with name r cannot be found.")
}

// TestAttachments: ten at most, told by the policy, and no policy goes while one
// is left.
func TestAttachments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	must(t, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "staff"})))
	name := w.policyOf("p", allowAll)
	attach := func(name string) error {
		return second(root.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
			UserName: "alice", PolicyArn: name}))
	}
	must(t, attach(name))
	must(t, attach(name)) // again is no error
	must(t, second(root.AttachGroupPolicy(ctx, &api.AttachGroupPolicyInput{
		GroupName: "staff", PolicyArn: name})))
	must(t, second(root.CreateRole(ctx, &api.CreateRoleInput{
		RoleName: "worker", AssumeRolePolicyDocument: trustHome, PermissionsBoundary: name})))
	got, err := root.GetPolicy(ctx, &api.GetPolicyInput{PolicyArn: name})
	must(t, err)
	if *got.Policy.AttachmentCount != 2 || *got.Policy.PermissionsBoundaryUsageCount != 1 {
		t.Errorf("%+v", got.Policy)
	}
	entities := func(in *api.ListEntitiesForPolicyInput) string {
		in.PolicyArn = name
		out, err := root.ListEntitiesForPolicy(ctx, in)
		must(t, err)
		text := ""
		for _, u := range out.PolicyUsers {
			text += " " + u.UserName
		}
		for _, g := range out.PolicyGroups {
			text += " " + g.GroupName
		}
		for _, r := range out.PolicyRoles {
			text += " " + r.RoleName
		}
		return strings.TrimSpace(text)
	}
	for _, c := range []struct {
		in   api.ListEntitiesForPolicyInput
		want string
	}{
		{api.ListEntitiesForPolicyInput{}, "alice staff worker"},
		{api.ListEntitiesForPolicyInput{EntityFilter: "Group"}, "staff"},
		{api.ListEntitiesForPolicyInput{PolicyUsageFilter: "PermissionsBoundary"}, "worker"},
		{api.ListEntitiesForPolicyInput{PathPrefix: "/none/"}, ""},
	} {
		if got := entities(&c.in); got != c.want {
			t.Errorf("%+v: %q, want %q", c.in, got, c.want)
		}
	}
	_, err = root.DeletePolicy(ctx, &api.DeletePolicyInput{PolicyArn: name})
	want(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	for i := range 9 {
		must(t, attach(w.policyOf("p"+string(rune('a'+i)), allowAll)))
	}
	_, err = root.DeletePolicy(ctx, &api.DeletePolicyInput{
		PolicyArn: "arn:aws:iam::" + home + ":policy/team/pa"})
	want(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	want(t, attach("arn:aws:iam::aws:policy/AdministratorAccess"), "LimitExceeded",
		"Cannot exceed quota for PoliciesPerUser: 10")
}

// TestForeignPolicies: a policy of another account, one that is not there and one
// of a service role are not attached, and AWS's are not changed.
func TestForeignPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	other := w.root("444455556666")
	p, err := other.CreatePolicy(ctx, &api.CreatePolicyInput{
		PolicyName: "p", PolicyDocument: allowAll})
	must(t, err)
	for name, code := range map[string]string{
		p.Policy.Arn:                            "NoSuchEntity",
		"arn:aws:iam::" + home + ":policy/none": "NoSuchEntity",
		"arn:aws:iam::aws:policy/Nothing":       "NoSuchEntity",
		"arn:aws:s3:::policy/none":              "NoSuchEntity",
		"arn:aws:iam::aws:policy/aws-service-role/AmazonMQServiceRolePolicy": "PolicyNotAttachable",
	} {
		_, err := root.AttachUserPolicy(ctx, &api.AttachUserPolicyInput{
			UserName: "alice", PolicyArn: name})
		want(t, err, code, "")
	}
	_, err = root.DetachUserPolicy(ctx, &api.DetachUserPolicyInput{
		UserName: "alice", PolicyArn: p.Policy.Arn})
	want(t, err, "NoSuchEntity", "Policy "+p.Policy.Arn+" was not found.")
	_, err = root.GetPolicy(ctx, &api.GetPolicyInput{PolicyArn: p.Policy.Arn})
	if fault.KindOf(err) != fault.Denied {
		t.Error(err)
	}
	const published = "arn:aws:iam::aws:policy/AdministratorAccess"
	must(t, second(root.GetPolicy(ctx, &api.GetPolicyInput{PolicyArn: published})))
	_, err = root.DeletePolicy(ctx, &api.DeletePolicyInput{
		PolicyArn: published})
	if fault.KindOf(err) != fault.Denied {
		t.Error(err)
	}
}

// TestPublished: the policies of AWS can be read, and none is there twice.
func TestPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := map[string]bool{}
	for _, e := range awsManagedAll() {
		if _, err := policy.Parse([]byte(e.document()), policy.Identity); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if awsManaged(e.arn()) == nil || len(e.ID) != 21 || ids[e.ID] || e.Created.IsZero() ||
			e.Policy.Updated.IsZero() {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
	}
	mine := w.policyOf("AdministratorAccess", allowAll)
	var got []string
	in := &api.ListPoliciesInput{MaxItems: new(int32(4))}
	for {
		out, err := w.root(home).ListPolicies(t.Context(), in)
		must(t, err)
		for _, p := range out.Policies {
			got = append(got, p.Arn)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.Marker
	}
	if len(got) != len(ids)+1 || got[0] != "arn:aws:iam::aws:policy/AdministratorAccess" ||
		got[1] != mine {
		t.Errorf("%q", got)
	}
}
