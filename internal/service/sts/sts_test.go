package sts

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/store/memory"
)

// client calls as the root user of an account.
func client(t *testing.T, account string) api.Client {
	t.Helper()
	engine := memory.New(memory.Config{Shards: 2})
	zero, err := engine.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := engine.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), zero, bytes.Repeat([]byte{7}, 32), control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log := audit.Open(db, last, 1)
	t.Cleanup(log.Close)
	gw, err := gateway.New(db, log, nobody{}, []gateway.Service{
		{API: &api.API, Impl: &Service{}}}, gateway.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return api.Client{Caller: &gateway.Caller{
		Gateway: gw, Service: "test", Account: account, Region: "us-east-1",
		Identity: &gateway.Identity{Principal: policy.RootPrincipal(account)},
	}}
}

// nobody has an access key.
type nobody struct{}

func (nobody) Identity(context.Context, string, string) (*gateway.Identity, error) {
	return nil, errors.New("nobody")
}

// TestGetCallerIdentity tells the caller of itself.
func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	const account = "111122223333"
	out, err := client(t, account).GetCallerIdentity(t.Context(), &api.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := api.GetCallerIdentityOutput{
		Account: account, Arn: "arn:aws:iam::" + account + ":root", UserId: account}
	if *out != want {
		t.Errorf("%+v", *out)
	}
}

// TestNotBuilt: what is not built says so, and gives no credentials.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	_, err := client(t, "111122223333").GetSessionToken(t.Context(), &api.GetSessionTokenInput{})
	if u, ok := errors.AsType[wire.Unimplemented](err); !ok || string(u) != "GetSessionToken" {
		t.Error(err)
	}
}
