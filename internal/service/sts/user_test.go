package sts

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/sts"
)

// TestUserDurations: users' sessions last half a day unless they ask for less or more,
// a root user's at most an hour.
func TestUserDurations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.may("AKIAALICE", "sts:GetFederationToken")
	for _, c := range []struct {
		key     string
		seconds *int32
		want    time.Duration
	}{
		{"AKIAALICE", nil, 12 * time.Hour}, {"AKIAALICE", new(int32(900)), 15 * time.Minute},
		{"AKIAALICE", new(int32(129600)), 36 * time.Hour},
		{"AKIAROOT", nil, time.Hour}, {"AKIAROOT", new(int32(129600)), time.Hour},
		{"AKIAROOT", new(int32(900)), 15 * time.Minute},
	} {
		want := w.time().Add(c.want)
		own, err := w.as(c.key).GetSessionToken(t.Context(),
			&api.GetSessionTokenInput{DurationSeconds: c.seconds})
		if err != nil || !own.Credentials.Expiration.Equal(want) {
			t.Errorf("%s %v: %+v, %v", c.key, c.want, own, err)
		}
		given, err := w.as(c.key).GetFederationToken(t.Context(),
			&api.GetFederationTokenInput{Name: "fred", DurationSeconds: c.seconds})
		if err != nil || !given.Credentials.Expiration.Equal(want) {
			t.Errorf("%s %v: %+v, %v", c.key, c.want, given, err)
		}
	}
	_, err := w.as("AKIAALICE").GetSessionToken(t.Context(),
		&api.GetSessionTokenInput{DurationSeconds: new(int32(129601))})
	refused(t, err, "ValidationError", "less than or equal to 129600")
}

// TestFederation: a federated user may what its maker and the passed policies both
// allow; without policies that is nothing.
func TestFederation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key, may, policy string
		allowed          bool
	}{
		"both":            {"AKIAALICE", "*", allow("peer:*"), true},
		"no policy":       {"AKIAALICE", "*", "", false},
		"policy alone":    {"AKIAALICE", "sts:*", allow("peer:*"), false},
		"another policy":  {"AKIAALICE", "*", allow("kms:*"), false},
		"root":            {"AKIAROOT", "", allow("peer:*"), true},
		"root, no policy": {"AKIAROOT", "", "", false},
	} {
		w := newWorldBeside(t, peer())
		if c.may != "" {
			w.may(c.key, c.may)
		}
		out, err := w.as(c.key).GetFederationToken(t.Context(), &api.GetFederationTokenInput{
			Name: "fred", Policy: c.policy, Tags: []api.Tag{{Key: "team", Value: "blue"}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := ask(t, w.with(out.Credentials)); (err == nil) != c.allowed {
			t.Errorf("%s: %v", name, err)
		}
		who, err := w.svc.Identity(t.Context(), out.Credentials.AccessKeyId,
			out.Credentials.SessionToken)
		if err != nil || who.Principal.EntityID() != w.keys[c.key].Principal.EntityID() {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
		e := w.newest(out.Credentials.AccessKeyId)
		issuer := e.UserIdentity.SessionContext.SessionIssuer
		if e.UserIdentity.Type != "FederatedUser" || issuer.ARN != w.keys[c.key].Principal.ARN {
			t.Errorf("%s: %+v from %+v", name, e.UserIdentity, issuer)
		}
	}
	w := newWorld(t)
	_, err := w.as("AKIAALICE").GetFederationToken(t.Context(),
		&api.GetFederationTokenInput{Name: "fred"})
	refused(t, err, "AccessDenied", "sts:GetFederationToken on resource: arn:aws:sts::"+home+
		":federated-user/fred")
}

// TestEventsKeepSecrets: the event of a new session names its access key, by which all
// that was done with it is found, and shows neither secret key nor token nor code.
func TestEventsKeepSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.may("AKIAALICE", "sts:*")
	w.role(home, "r", trust(aliceARN(), ""))
	w.code = "987654"
	role := w.assume(w.as("AKIAALICE"), &api.AssumeRoleInput{RoleArn: roleARN,
		SerialNumber: "arn:aws:iam::" + home + ":mfa/alice", TokenCode: "987654",
		ExternalId: "word"})
	e := w.newest("AKIAALICE")
	shown, _ := e.ResponseElements["credentials"].(map[string]any)
	user, _ := e.ResponseElements["assumedRoleUser"].(map[string]any)
	if shown["accessKeyId"] != role.Credentials.AccessKeyId || !e.ReadOnly ||
		shown["expiration"] != "Jan 2, 2026, 4:04:05 AM" ||
		user["arn"] != role.AssumedRoleUser.Arn || len(e.Resources) != 1 ||
		e.Resources[0].ARN != roleARN || e.RequestParameters["externalId"] != "word" {
		t.Errorf("%+v", e)
	}
	own, err := w.as("AKIAALICE").GetSessionToken(t.Context(), &api.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	given, err := w.as("AKIAALICE").GetFederationToken(t.Context(),
		&api.GetFederationTokenInput{Name: "fred"})
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"987654"}
	for _, c := range []*api.Credentials{role.Credentials, own.Credentials, given.Credentials} {
		secrets = append(secrets, c.SecretAccessKey, c.SessionToken)
	}
	list := w.events()
	text, err := json.Marshal(list)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for _, s := range secrets {
		if strings.Contains(string(text), s) {
			t.Errorf("the events show %q", s)
		}
	}
}
