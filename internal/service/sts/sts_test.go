package sts

import (
	"testing"

	api "coffer/internal/aws/api/sts"
)

// TestGetCallerIdentity tells callers of every kind of themselves; no policy is
// needed.
func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust("arn:aws:iam::"+home+":user/alice", ""))
	w.may("AKIAALICE", "sts:GetFederationToken")
	alice := w.as("AKIAALICE")
	session, err := alice.GetSessionToken(t.Context(), &api.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	federated, err := alice.GetFederationToken(t.Context(),
		&api.GetFederationTokenInput{Name: "fred"})
	if err != nil {
		t.Fatal(err)
	}
	role := w.assume(alice, &api.AssumeRoleInput{RoleArn: w.roles[home+"/r"].ARN})
	for _, c := range []struct {
		client api.Client
		want   api.GetCallerIdentityOutput
	}{
		{w.as("AKIAROOT"), api.GetCallerIdentityOutput{
			Account: home, Arn: "arn:aws:iam::" + home + ":root", UserId: home}},
		{alice, api.GetCallerIdentityOutput{
			Account: home, Arn: "arn:aws:iam::" + home + ":user/alice", UserId: "AIDAALICE"}},
		{w.with(session.Credentials), api.GetCallerIdentityOutput{
			Account: home, Arn: "arn:aws:iam::" + home + ":user/alice", UserId: "AIDAALICE"}},
		{w.with(federated.Credentials), api.GetCallerIdentityOutput{Account: home,
			Arn: "arn:aws:sts::" + home + ":federated-user/fred", UserId: home + ":fred"}},
		{w.with(role.Credentials), api.GetCallerIdentityOutput{Account: home,
			Arn: "arn:aws:sts::" + home + ":assumed-role/r/s1", UserId: "AROAR0000:s1"}},
	} {
		out, err := c.client.GetCallerIdentity(t.Context(), &api.GetCallerIdentityInput{})
		if err != nil || *out != c.want {
			t.Errorf("%+v, %v; want %+v", out, err, c.want)
		}
	}
}

// TestGetAccessKeyInfo tells the account of long-term keys and of sessions.
func TestGetAccessKeyInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keys["AKIAIOSFODNN7EXAMPLE"] = w.keys["AKIABOB"]
	session, err := w.as("AKIABOB").GetSessionToken(t.Context(), &api.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	root := w.as("AKIAROOT")
	for id, want := range map[string]string{
		"AKIAIOSFODNN7EXAMPLE":            abroad,
		session.Credentials.AccessKeyId:   abroad,
		"AKIAIOSFODNN7EXAMPLX":            "",
		"ASIAIOSFODNN7EXAMPLEAAAAAAAAAAA": "",
	} {
		out, err := root.GetAccessKeyInfo(t.Context(), &api.GetAccessKeyInfoInput{AccessKeyId: id})
		if want == "" {
			refused(t, err, "ValidationError", id)
		} else if err != nil || out.Account != want {
			t.Errorf("%s: %v, %v", id, out, err)
		}
	}
}

// TestNotBuilt: what is not built says so, and gives no credentials.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	_, err := newWorld(t).as("AKIAROOT").AssumeRoot(t.Context(), &api.AssumeRootInput{
		TargetPrincipal: abroad, TaskPolicyArn: &api.PolicyDescriptorType{
			Arn: "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}})
	refused(t, err, "NotImplemented", "AssumeRoot")
}
