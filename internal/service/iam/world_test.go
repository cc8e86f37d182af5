package iam

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// world is an IAM behind the real gateway over a store in memory.
type world struct {
	t      testing.TB
	engine *memory.Engine
	zero   store.Shard
	db     *control.DB
	svc    *Service
	gw     *gateway.Gateway
	now    time.Time
	mu     sync.Mutex
	events []*audit.Event // guarded by mu
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, engine: memory.New(memory.Config{Shards: 2}),
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.open()
	return w
}

// open starts the services on the store, as a new process would.
func (w *world) open() {
	w.t.Helper()
	zero, err := w.engine.Open(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.zero = zero
	last, err := w.engine.Open(w.t.Context(), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	clock := func() time.Time { return w.now }
	w.db, err = control.Open(w.t.Context(), zero, worldRoot(),
		control.Config{Now: clock})
	if err != nil {
		w.t.Fatal(err)
	}
	valid := audittest.Recorded(w.t)
	log, err := audit.Open(w.t.Context(), w.db, last, 1, audit.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(log.Close)
	w.svc = New(w.db)
	w.gw, err = gateway.New(w.db, log, w.svc, []gateway.Service{
		{API: &api.API, Impl: w.svc, Access: w.svc},
	}, gateway.Config{Now: clock, Events: gateway.Events{
		Recorded: func(e *audit.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			valid(e)
			w.events = append(w.events, e)
		},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// root calls as the root user of an account.
func (w *world) root(account string) api.Client { return w.as(RootIdentity(account)) }

func (w *world) as(who *gateway.Identity) api.Client {
	return api.Client{Caller: &gateway.Caller{
		Gateway: w.gw, Service: "test.internal", Account: who.Principal.Account,
		Region: "us-east-1", Identity: who,
	}}
}

// holder finds the holder of an access key, as at the beginning of a request.
func (w *world) holder(key *api.AccessKey) *gateway.Identity {
	w.t.Helper()
	who, err := w.svc.Identity(w.t.Context(), key.AccessKeyId, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return who
}

// user makes a user with an access key.
func (w *world) user(name string) *api.AccessKey {
	w.t.Helper()
	c := w.root(home)
	must(w.t, second(c.CreateUser(w.t.Context(), &api.CreateUserInput{UserName: name})))
	out, err := c.CreateAccessKey(w.t.Context(), &api.CreateAccessKeyInput{UserName: name})
	must(w.t, err)
	return out.AccessKey
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// second is the error of an operation whose output does not matter.
func second[T any](_ T, err error) error { return err }

// want compares an error's code and a part of its text.
func want(t testing.TB, err error, code, text string) {
	t.Helper()
	got := ""
	if f, ok := errors.AsType[wire.Fault](err); ok {
		got, _ = f.Fault()
	}
	if got != code || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("got %q, %v; want %s with %q", got, err, code, text)
	}
}

const (
	allowAll = `{"Version":"2012-10-17","Statement":` +
		`[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trustHome = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":"sts:AssumeRole"}]}`
)

// allow is a policy for some actions on everything.
func allow(actions ...string) string { return statement("Allow", actions) }

// deny is the opposite.
func deny(actions ...string) string { return statement("Deny", actions) }

func statement(effect string, actions []string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":["` +
		strings.Join(actions, `","`) + `"],"Resource":"*"}]}`
}

// identify finds the holder of a key; nil when it is unknown.
func (w *world) identify(id string) (*gateway.Identity, error) {
	return w.svc.Identity(context.Background(), id, "")
}

func worldRoot() []byte { return bytes.Repeat([]byte{7}, 32) }
