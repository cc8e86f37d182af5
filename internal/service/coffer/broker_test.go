package coffer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// fleet is one broker in two shards' reach, which moves at once.
type fleet struct {
	mu    sync.Mutex
	shard int // less 1
	busy  bool
	key   string // that it was asked to rest on
}

var _ Brokers = (*fleet)(nil)

func (f *fleet) Places() ([]Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []Place{{Broker: "b-1", Shard: f.shard + 1}}, nil
}

func (f *fleet) Movable(id string, shard int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case id != "b-1":
		return fault.New(fault.NotFound, "no broker %s", id)
	case shard > 2:
		return fault.New(fault.Invalid, "no shard %d", shard)
	case f.busy:
		return fault.New(fault.Conflict, "busy")
	}
	return nil
}

func (f *fleet) Move(_ string, shard int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shard = shard - 1
}

func (f *fleet) Rekey(_ context.Context, id string, owned bool, key string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case id != "b-1":
		return "", fault.New(fault.NotFound, "no broker %s", id)
	case f.busy:
		return "", fault.New(fault.Conflict, "busy")
	case key == "lost":
		return "", fault.New(fault.KeyUnavailable, "the old one is disabled")
	case key == "none":
		return "", fault.New(fault.Invalid, "no key")
	}
	f.key = fmt.Sprint(owned, " ", key)
	return "arn of " + key, nil
}

// TestRekeyBroker hands on what is asked for, and answers each refusal with its code.
func TestRekeyBroker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	c := w.client(policy.RootPrincipal(account))
	rekey := func(id, key string, owned bool) (*api.RekeyBrokerOutput, error) {
		return c.RekeyBroker(t.Context(),
			&api.RekeyBrokerInput{BrokerId: id, KmsKeyId: key, UseAwsOwnedKey: owned})
	}
	out, err := rekey("b-1", "k", false)
	if err != nil || out.KmsKeyId != "arn of k" || *out.UseAwsOwnedKey || w.fleet.key != "false k" {
		t.Errorf("%+v, %v, asked for %q", out, err, w.fleet.key)
	}
	out, err = rekey("b-1", "", true)
	if err != nil || out.KmsKeyId != "" || !*out.UseAwsOwnedKey || w.fleet.key != "true " {
		t.Errorf("%+v, %v, asked for %q", out, err, w.fleet.key)
	}
	if _, err := rekey("b-2", "k", false); !is[*api.BrokerNotFoundException](err) {
		t.Errorf("another broker: %v", err)
	}
	if _, err := rekey("b-1", "lost", false); !is[*api.KeyUnavailableException](err) {
		t.Errorf("a lost key: %v", err)
	}
	if _, err := rekey("b-1", "none", false); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no key: %v", err)
	}
	other := &gateway.Caller{Gateway: w.gateway, Service: "test", Account: "222222222222",
		Region:   "us-east-1",
		Identity: &gateway.Identity{Principal: policy.RootPrincipal("222222222222")}}
	_, err = api.Client{Caller: other}.RekeyBroker(t.Context(),
		&api.RekeyBrokerInput{BrokerId: "b-2", UseAwsOwnedKey: true})
	if !is[*api.BrokerNotFoundException](err) {
		t.Errorf("by another account, for a broker of its own: %v", err)
	}
	w.fleet.busy = true
	if _, err := rekey("b-1", "k", false); !is[*api.BrokerInUseException](err) {
		t.Errorf("busy: %v", err)
	}
}

// TestMoveBroker moves a broker, refuses what cannot be, and has both on record.
func TestMoveBroker(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t, 0)
	c := w.client(policy.RootPrincipal(account))
	move := func(id string, shard int32) error {
		_, err := c.MoveBroker(ctx, &api.MoveBrokerInput{BrokerId: id, Shard: shard})
		return err
	}
	if err := move("b-1", 2); err != nil {
		t.Fatal(err)
	}
	out, err := c.DescribeStore(ctx, &api.DescribeStoreInput{})
	if err != nil || *out.Store.Brokers[0].Shard != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if err := move("b-2", 1); !is[*api.BrokerNotFoundException](err) {
		t.Errorf("another broker: %v", err)
	}
	if err := move("b-1", 3); fault.KindOf(err) != fault.Invalid {
		t.Errorf("another shard: %v", err)
	}
	if err := move("b-1", 0); err == nil {
		t.Error("shard 0 was taken")
	}
	w.fleet.busy = true
	if err := move("b-1", 1); !is[*api.BrokerInUseException](err) {
		t.Errorf("busy: %v", err)
	}
	user := policy.Principal{
		Kind: policy.User, Account: account,
		ARN: "arn:aws:iam::" + account + ":user/u", UserID: "U",
	}
	_, err = w.client(user).MoveBroker(ctx, &api.MoveBrokerInput{
		BrokerId: "b-1", Shard: 1,
	})
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "coffer:MoveBroker") {
		t.Errorf("denied: %v", err)
	}
	if w.fleet.shard != 1 {
		t.Errorf("it is in shard %d", w.fleet.shard+1)
	}
	names := ""
	for _, e := range w.events {
		names += " " + e.EventName + e.ErrorCode
	}
	if !strings.HasPrefix(names, " MoveBroker DescribeStore MoveBrokerBrokerNotFoundException") ||
		!strings.HasSuffix(names, "MoveBrokerBrokerInUseException"+
			" MoveBrokerAccessDeniedException") {
		t.Errorf("recorded%s", names)
	}
}
