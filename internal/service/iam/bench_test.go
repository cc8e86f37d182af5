package iam

import (
	"fmt"
	"testing"

	api "coffer/internal/aws/api/iam"
)

// BenchmarkIdentity looks a user up who is in as many groups as one can be, each of
// which has as many policies as one can have.
func BenchmarkIdentity(b *testing.B) {
	w := newWorld(b)
	root, ctx := w.root(home), b.Context()
	key := w.user("alice")
	for g := range groupsPerUser {
		group := fmt.Sprint("group-", g)
		must(b, second(root.CreateGroup(ctx, &api.CreateGroupInput{GroupName: group})))
		must(b, second(root.AddUserToGroup(ctx, &api.AddUserToGroupInput{
			GroupName: group, UserName: "alice"})))
		for p := range maxAttached {
			name := w.policyOf(fmt.Sprint("p-", g, "-", p), allow("kms:Decrypt", "mq:*"))
			must(b, second(root.AttachGroupPolicy(ctx, &api.AttachGroupPolicyInput{
				GroupName: group, PolicyArn: name})))
		}
	}
	for b.Loop() {
		w.holder(key)
	}
}

// BenchmarkSimpleIdentity looks a user up who has one policy.
func BenchmarkSimpleIdentity(b *testing.B) {
	w := newWorld(b)
	key := w.user("alice")
	must(b, second(w.root(home).AttachUserPolicy(b.Context(), &api.AttachUserPolicyInput{
		UserName: "alice", PolicyArn: w.policyOf("p", allow("kms:Decrypt"))})))
	for b.Loop() {
		w.holder(key)
	}
}
