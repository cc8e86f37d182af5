package iam

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/fault"
)

// TestAccessKeys: a user has two at most, an inactive or deleted one is unknown, and
// the secret is shown once and never on record.
func TestAccessKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	key := w.user("alice")
	more := &api.CreateAccessKeyInput{UserName: "alice"}
	other, err := root.CreateAccessKey(ctx, more)
	must(t, err)
	_, err = root.CreateAccessKey(ctx, more)
	want(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")

	who := w.holder(key)
	if who.Principal.ARN != "arn:aws:iam::"+home+":user/alice" ||
		who.Principal.Name != "alice" || !strings.HasPrefix(who.Principal.UserID, "AIDA") ||
		who.Event.Type != "IAMUser" || who.Event.UserName != "alice" ||
		who.Event.PrincipalID != who.Principal.UserID ||
		who.Event.AccessKeyID != key.AccessKeyId ||
		who.Secret.Reveal() != key.SecretAccessKey {
		t.Errorf("%+v", who)
	}
	set := func(status string) {
		must(t, second(root.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{
			UserName: "alice", AccessKeyId: key.AccessKeyId, Status: status})))
	}
	unknown := func() {
		t.Helper()
		if _, err := w.identify(key.AccessKeyId); fault.KindOf(err) != fault.Unauthenticated {
			t.Error(err)
		}
	}
	set("Inactive")
	unknown()
	if w.holder(other.AccessKey) == nil {
		t.Error("the other key is inactive too")
	}
	set("Active")
	w.holder(key)
	list, err := root.ListAccessKeys(ctx, &api.ListAccessKeysInput{UserName: "alice"})
	must(t, err)
	if m := list.AccessKeyMetadata; len(m) != 2 || m[0].Status != "Active" ||
		m[0].UserName != "alice" || *list.IsTruncated {
		t.Errorf("%+v", list)
	}
	must(t, second(root.DeleteAccessKey(ctx, &api.DeleteAccessKeyInput{
		UserName: "alice", AccessKeyId: key.AccessKeyId})))
	unknown()
	_, err = root.DeleteAccessKey(ctx, &api.DeleteAccessKeyInput{
		UserName: "alice", AccessKeyId: key.AccessKeyId})
	want(t, err, "NoSuchEntity", "The Access Key with id "+key.AccessKeyId+" cannot be found.")

	text, err := json.Marshal(w.events)
	must(t, err)
	for _, k := range []*api.AccessKey{key, other.AccessKey} {
		if strings.Contains(string(text), k.SecretAccessKey) {
			t.Error("a secret is on record")
		}
	}
	if !strings.Contains(string(text), key.AccessKeyId) {
		t.Error("the new key is not on record")
	}
}

// TestOwnKeys: without a name a request is about its caller, and a key of one user
// is nothing to another.
func TestOwnKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	alice, bob := w.user("alice"), w.user("bob")
	must(t, second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{
		UserName: "alice", PolicyName: "own", PolicyDocument: `{"Version":"2012-10-17",` +
			`"Statement":[{"Effect":"Allow","Action":"iam:*AccessKey*",` +
			`"Resource":"arn:aws:iam::*:user/${aws:username}"}]}`})))
	c := w.as(w.holder(alice))
	list, err := c.ListAccessKeys(ctx, &api.ListAccessKeysInput{})
	must(t, err)
	if len(list.AccessKeyMetadata) != 1 ||
		list.AccessKeyMetadata[0].AccessKeyId != alice.AccessKeyId {
		t.Errorf("%+v", list.AccessKeyMetadata)
	}
	_, err = c.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{
		AccessKeyId: bob.AccessKeyId, Status: "Inactive"})
	want(t, err, "NoSuchEntity", "cannot be found")
	if _, err := c.ListAccessKeys(ctx, &api.ListAccessKeysInput{UserName: "bob"}); fault.KindOf(
		err) != fault.Denied || !strings.Contains(err.Error(), ":user/bob ") {
		t.Errorf("another user's keys: %v", err)
	}
	made, err := c.CreateAccessKey(ctx, &api.CreateAccessKeyInput{})
	must(t, err)
	if made.AccessKey.UserName != "alice" {
		t.Errorf("%+v", made.AccessKey)
	}
}

// TestRootKeys: the root user has keys too, which no user's request finds.
func TestRootKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	var first AccessKey
	must(t, w.svc.EnsureRoot(ctx, home, func(k AccessKey) error { first = k; return nil }))
	w.user("alice")
	made, err := root.CreateAccessKey(ctx, &api.CreateAccessKeyInput{})
	must(t, err)
	list, err := root.ListAccessKeys(ctx, &api.ListAccessKeysInput{})
	must(t, err)
	if len(list.AccessKeyMetadata) != 2 {
		t.Errorf("%+v", list.AccessKeyMetadata)
	}
	must(t, second(root.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{
		AccessKeyId: first.ID, Status: "Inactive"})))
	if _, err := w.identify(first.ID); fault.KindOf(err) != fault.Unauthenticated {
		t.Error(err)
	}
	if who := w.holder(made.AccessKey); who.Event.Type != "Root" {
		t.Errorf("%+v", who)
	}
}

// TestLastUsed: the last use is exact while the process runs, written again only
// when it is old, and there after a restart.
func TestLastUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key := w.user("alice")
	last := func() *api.GetAccessKeyLastUsedOutput {
		t.Helper()
		out, err := w.root(home).GetAccessKeyLastUsed(ctx,
			&api.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
		must(t, err)
		return out
	}
	if u := last(); u.UserName != "alice" || u.AccessKeyLastUsed.ServiceName != "N/A" ||
		u.AccessKeyLastUsed.Region != "N/A" || !u.AccessKeyLastUsed.LastUsedDate.IsZero() {
		t.Errorf("never used: %+v", u.AccessKeyLastUsed)
	}
	begin := w.now
	for _, service := range []string{"kms", "mq", "sts"} {
		must(t, w.svc.NoteUse(ctx, key.AccessKeyId, service, "eu-west-1"))
		if u := last().AccessKeyLastUsed; u.ServiceName != service ||
			!u.LastUsedDate.Equal(w.now) || u.Region != "eu-west-1" {
			t.Errorf("%+v at %v", u, w.now)
		}
		w.now = w.now.Add(time.Minute)
	}
	w.open()
	if u := last().AccessKeyLastUsed; u.ServiceName != "kms" || !u.LastUsedDate.Equal(begin) {
		t.Errorf("after a restart: %+v; uses within minutes were written", u)
	}
	w.now = begin.Add(useInterval)
	must(t, w.svc.NoteUse(ctx, key.AccessKeyId, "mq", "us-east-1"))
	w.open()
	if u := last().AccessKeyLastUsed; u.ServiceName != "mq" || !u.LastUsedDate.Equal(w.now) {
		t.Errorf("after another restart: %+v", u)
	}
	must(t, w.svc.NoteUse(ctx, "AKIANOBODYHASTHISKEY", "mq", "us-east-1"))
	_, err := w.root("444455556666").GetAccessKeyLastUsed(ctx,
		&api.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "access key AKIA") {
		t.Errorf("another account: %v", err)
	}
}

// TestKeysAtOnce: who asks many times at once gets no more keys than one may have.
func TestKeysAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	must(t, second(root.CreateUser(ctx, &api.CreateUserInput{UserName: "alice"})))
	made := make(chan *api.AccessKey, 10)
	var all sync.WaitGroup
	for range cap(made) {
		all.Go(func() {
			out, err := root.CreateAccessKey(ctx, &api.CreateAccessKeyInput{UserName: "alice"})
			if err == nil {
				made <- out.AccessKey
			} else if fault.KindOf(err) != fault.Conflict {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(made) != maxKeys {
		t.Errorf("%d keys were made", len(made))
	}
	for range len(made) {
		w.holder(<-made)
	}
}

// TestShownTimes: answers tell whole seconds.
func TestShownTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begin := w.now
	w.now = w.now.Add(987654321)
	key := w.user("alice")
	if !key.CreateDate.Equal(begin) {
		t.Errorf("%v, want %v", key.CreateDate, begin)
	}
	out, err := w.root(home).GetUser(t.Context(), &api.GetUserInput{UserName: "alice"})
	must(t, err)
	if !out.User.CreateDate.Equal(begin) {
		t.Errorf("%v, want %v", out.User.CreateDate, begin)
	}
}
