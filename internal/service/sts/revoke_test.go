package sts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/policy"
)

// TestStolenSession: whatever a session rests on, it is refused as soon as that is
// taken away; nothing has to expire.
func TestStolenSession(t *testing.T) {
	t.Parallel()
	tagged := func(w *world) api.Client {
		in := &api.AssumeRoleInput{RoleArn: roleARN}
		return w.with(w.assume(w.as("AKIAALICE"), in).Credentials)
	}
	own := func(w *world) api.Client {
		w.may("AKIAALICE", "*")
		out, err := w.as("AKIAALICE").GetSessionToken(t.Context(), &api.GetSessionTokenInput{})
		if err != nil {
			t.Fatal(err)
		}
		return w.with(out.Credentials)
	}
	federated := func(w *world) api.Client {
		w.may("AKIAALICE", "*")
		out, err := w.as("AKIAALICE").GetFederationToken(t.Context(),
			&api.GetFederationTokenInput{Name: "fred", Policy: allow("*")})
		if err != nil {
			t.Fatal(err)
		}
		return w.with(out.Credentials)
	}
	none := func(w *world) { w.keys["AKIAALICE"].Policies = nil }
	gone := func(w *world) { delete(w.keys, "AKIAALICE") }
	for name, c := range map[string]struct {
		make   func(*world) api.Client
		change func(*world)
		who    string // what it is then to GetCallerIdentity
	}{
		"policy detached": {tagged, func(w *world) { w.roles[home+"/r"].Policies = nil },
			"assumed-role/r/s1"},
		"boundary set": {tagged, func(w *world) {
			w.roles[home+"/r"].Boundary = policy.Policy{
				Document: w.parse(allow("kms:*"), policy.Identity)}
		}, "assumed-role/r/s1"},
		"role deleted": {tagged, func(w *world) { delete(w.roles, home+"/r") },
			"InvalidClientTokenId"},
		"role made anew": {tagged, func(w *world) {
			w.role(home, "r", trust(aliceARN(), ""), allow("*")).ID = "AROANEW0000"
		}, "InvalidClientTokenId"},
		"user's policy":      {own, none, "user/alice"},
		"user's key":         {own, gone, "InvalidClientTokenId"},
		"federation, policy": {federated, none, "federated-user/fred"},
		"federation, key":    {federated, gone, "InvalidClientTokenId"},
	} {
		w := newWorldBeside(t, peer())
		w.role(home, "r", trust(aliceARN(), ""), allow("peer:*"))
		client := c.make(w)
		if err := ask(t, client); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		c.change(w)
		if err := ask(t, client); err == nil {
			t.Errorf("%s: still allowed", name)
		}
		if got := w.whoami(client); !strings.HasSuffix(got, c.who) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

type askInput struct{}

type askOutput struct{}

type peerService struct{}

// Ask does nothing.
func (peerService) Ask(context.Context, *askInput) (*askOutput, error) { return &askOutput{}, nil }

func peerAPI(prefix string) *wire.API {
	return &wire.API{
		Name: prefix, Protocol: "query", SigningName: prefix, EndpointPrefix: prefix,
		EventSource: prefix + ".amazonaws.com", ActionPrefix: prefix, Version: "2026-01-01",
		XMLNamespace: "https://peer.example/",
		Ops: []wire.Op{wire.Method(wire.Op{Name: "Ask", Method: "POST", URI: "/"},
			peerService.Ask)},
	}
}

// peer is another service; it is called "iam" for what sessions cannot reach.
func peer() *gateway.Service {
	return &gateway.Service{API: peerAPI("peer"), Impl: peerService{}}
}

func ask(t *testing.T, c api.Client) error {
	t.Helper()
	return c.Caller.Call(t.Context(), peerAPI("peer"), "Ask", &askInput{}, &askOutput{})
}

// TestUnreachable: which operations and services a session's kind reaches.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorldBeside(t, &gateway.Service{API: peerAPI("iam"), Impl: peerService{}})
	w.may("AKIAALICE", "*")
	w.role(home, "r", trust(home, ""), allow("*"))
	alice := w.as("AKIAALICE")
	session := func(in *api.GetSessionTokenInput) api.Client {
		out, err := alice.GetSessionToken(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return w.with(out.Credentials)
	}
	w.code = "123456"
	proved := session(&api.GetSessionTokenInput{TokenCode: "123456",
		SerialNumber: "arn:aws:iam::" + home + ":mfa/alice"})
	federated, err := alice.GetFederationToken(t.Context(),
		&api.GetFederationTokenInput{Name: "fred", Policy: allow("*")})
	if err != nil {
		t.Fatal(err)
	}
	role := w.assume(alice, &api.AssumeRoleInput{RoleArn: roleARN})
	short := strings.NewReplacer("<nil>", "ok", "InvalidClientTokenId", "barred",
		"AccessDenied", "no")
	for name, c := range map[string]struct {
		client api.Client
		want   string // of iam, AssumeRole, GetSessionToken, GetFederationToken, GetAccessKeyInfo
	}{
		"user":           {alice, "ok ok ok ok ok"},
		"session":        {session(&api.GetSessionTokenInput{}), "barred ok no no no"},
		"session by MFA": {proved, "ok ok no no no"},
		"federated":      {w.with(federated.Credentials), "barred no no no no"},
		"role":           {w.with(role.Credentials), "ok ok no no ok"},
	} {
		ctx := t.Context()
		errs := []error{c.client.Caller.Call(ctx, peerAPI("iam"), "Ask", &askInput{}, &askOutput{})}
		_, err := c.client.AssumeRole(ctx,
			&api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: "s2"})
		errs = append(errs, err)
		_, err = c.client.GetSessionToken(ctx, &api.GetSessionTokenInput{})
		errs = append(errs, err)
		_, err = c.client.GetFederationToken(ctx, &api.GetFederationTokenInput{Name: "fred"})
		errs = append(errs, err)
		_, err = c.client.GetAccessKeyInfo(ctx,
			&api.GetAccessKeyInfoInput{AccessKeyId: role.Credentials.AccessKeyId})
		errs = append(errs, err)
		var words []string
		for _, err := range errs {
			word, _, _ := strings.Cut(fmt.Sprint(err), ":")
			words = append(words, short.Replace(word))
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

// TestMFA02 (MFA-02, GRT-08): events of sessions have the session's context, and say
// truthfully, as a string, whether a device was shown.
func TestMFA02(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.may("AKIAALICE", "sts:*")
	w.role(home, "r", trust(home, ""), allow("*"))
	alice := w.as("AKIAALICE")
	const context = `"webIdFederationData":{},` +
		`"attributes":{"creationDate":"2026-01-02T03:04:05Z","mfaAuthenticated":"%s"}`
	for name, mfa := range map[string]string{"plain": "false", "proved": "true"} {
		in, assume := &api.GetSessionTokenInput{}, &api.AssumeRoleInput{RoleArn: roleARN}
		if name == "proved" {
			in.SerialNumber, in.TokenCode = "arn:aws:iam::"+home+":mfa/alice", "111111"
			assume.SerialNumber, assume.TokenCode = in.SerialNumber, "222222"
		}
		w.code = "111111"
		out, err := alice.GetSessionToken(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		w.code = "222222"
		role := w.assume(alice, assume)
		chained := w.assume(w.with(out.Credentials), &api.AssumeRoleInput{RoleArn: roleARN})
		attributes := fmt.Sprintf(context, mfa)
		for client, want := range map[*api.Credentials]string{
			out.Credentials: `{"type":"IAMUser","principalId":"AIDAALICE",` +
				`"arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333",` +
				`"accessKeyId":"` + out.Credentials.AccessKeyId + `","userName":"alice",` +
				`"sessionContext":{` + attributes + `}}`,
			role.Credentials:    roleEvent(role.Credentials, attributes),
			chained.Credentials: roleEvent(chained.Credentials, attributes),
		} {
			w.whoami(w.with(client))
			got, err := json.Marshal(w.newest(client.AccessKeyId).UserIdentity)
			if err != nil || string(got) != want {
				t.Errorf("%s: %s, %v;\nwant %s", name, got, err, want)
			}
		}
	}
}

func roleEvent(c *api.Credentials, attributes string) string {
	return `{"type":"AssumedRole","principalId":"AROAR0000:s1",` +
		`"arn":"arn:aws:sts::111122223333:assumed-role/r/s1","accountId":"111122223333",` +
		`"accessKeyId":"` + c.AccessKeyId + `","sessionContext":{"sessionIssuer":{"type":"Role",` +
		`"principalId":"AROAR0000","arn":"arn:aws:iam::111122223333:role/r",` +
		`"accountId":"111122223333","userName":"r"},` + attributes + `}}`
}
