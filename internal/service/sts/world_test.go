package sts

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	home   = "111122223333"
	abroad = "444455556666"
	region = "eu-west-1"
)

// world is the service behind a gateway, with a directory that tests write.
type world struct {
	t    testing.TB
	db   *control.DB
	log  *audit.Log
	svc  *Service
	gw   *gateway.Gateway
	peer *gateway.Service // beside STS; nil for none

	mu    sync.Mutex
	now   time.Time
	keys  map[string]*gateway.Identity // by access key id
	roles map[string]*Role             // by account and name
	docs  map[string]policy.Policy     // managed policies by ARN
	code  string                       // the one that is right next
}

func newWorld(t testing.TB) *world { return newWorldBeside(t, nil) }

func newWorldBeside(t testing.TB, peer *gateway.Service) *world {
	t.Helper()
	w := &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		keys: map[string]*gateway.Identity{}, roles: map[string]*Role{},
		docs: map[string]policy.Policy{},
	}
	engine := memory.New(memory.Config{Shards: 2})
	shard := func(id store.ShardID) store.Shard {
		s, err := engine.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var err error
	w.db, err = control.Open(t.Context(), shard(0), bytes.Repeat([]byte{7}, 32),
		control.Config{Now: w.time})
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = audit.Open(t.Context(), w.db, shard(1), 1, audit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.log.Close)
	w.svc = New(w.db, w)
	services := []gateway.Service{{API: &api.API, Impl: w.svc, Access: w.svc}}
	if peer != nil {
		services = append(services, *peer)
	}
	w.gw, err = gateway.New(w.db, w.log, w.svc, services, gateway.Config{
		Now: w.time, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.keys["AKIAROOT"] = w.person(policy.RootPrincipal(home), "Root")
	w.keys["AKIAALICE"] = w.person(user(home, "alice"), "IAMUser")
	w.keys["AKIABOB"] = w.person(user(abroad, "bob"), "IAMUser")
	return w
}

func user(account, name string) policy.Principal {
	return policy.Principal{
		Kind: policy.User, Account: account, Name: name, UserID: "AIDA" + strings.ToUpper(name),
		ARN: "arn:aws:iam::" + account + ":user/" + name,
	}
}

func (w *world) person(p policy.Principal, kind string) *gateway.Identity {
	return &gateway.Identity{
		Secret: sigv4.NewSecret("secret"), Principal: p,
		Event: audit.Identity{Type: kind, PrincipalID: p.UserID, ARN: p.ARN,
			AccountID: p.Account, UserName: p.Name},
	}
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Identity is [gateway.Identities]'s.
func (w *world) Identity(_ context.Context, id, _ string) (*gateway.Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if who := w.keys[id]; who != nil {
		copy := *who
		copy.Event.AccessKeyID = id
		return &copy, nil
	}
	return nil, fault.New(fault.Unauthenticated, "nobody has %s", id)
}

// Role is [Directory]'s.
func (w *world) Role(_ context.Context, account, name string) (*Role, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.roles[account+"/"+name]; r != nil {
		copy := *r
		return &copy, nil
	}
	return nil, fault.New(fault.NotFound, "no role %s", name)
}

// ManagedPolicy is [Directory]'s.
func (w *world) ManagedPolicy(_ context.Context, _, arn string) (policy.Policy, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.docs[arn]; ok {
		return p, nil
	}
	return policy.Policy{}, fault.New(fault.NotFound, "no policy %s", arn)
}

// UseMFA is [Directory]'s: a code is right once.
func (w *world) UseMFA(ctx context.Context, who policy.Principal, serial, code string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if control.From(ctx) != nil {
		w.t.Error("a code is used up within a unit of work, which may be dropped")
	}
	if serial != "arn:aws:iam::"+who.Account+":mfa/"+who.Name || code == "" || code != w.code {
		return denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	}
	w.code = ""
	return nil
}

// role makes a role that whom it names may assume.
func (w *world) role(account, name, trusted string, docs ...string) *Role {
	w.t.Helper()
	r := &Role{
		Account: account, Name: name, ID: "AROA" + strings.ToUpper(name) + "0000",
		ARN:        "arn:aws:iam::" + account + ":role/" + name,
		Trust:      policy.Policy{Name: "trust", Document: w.parse(trusted, policy.Trust)},
		MaxSession: time.Hour,
	}
	for _, d := range docs {
		r.Policies = append(r.Policies, policy.Policy{
			Name: "own", Document: w.parse(d, policy.Identity)})
	}
	w.roles[account+"/"+name] = r
	return r
}

// trust is a trust policy for a principal, with a condition that may be empty.
func trust(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":{` + condition + `}`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
		principal + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]` +
		condition + `}]}`
}

func allow(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action +
		`","Resource":"*"}]}`
}

func (w *world) parse(doc string, use policy.Use) *policy.Document {
	w.t.Helper()
	d, err := policy.Parse([]byte(doc), use)
	if err != nil {
		w.t.Fatalf("%s: %v", doc, err)
	}
	return d
}

// may gives the holder of a key a policy.
func (w *world) may(key, action string) {
	w.keys[key].Policies = append(w.keys[key].Policies,
		policy.Policy{Name: "own", Document: w.parse(allow(action), policy.Identity)})
}

// caller signs calls with a key.
type caller struct {
	w   *world
	key sigv4.Key
}

var _ wire.Caller = (*caller)(nil)

func (w *world) as(id string) api.Client {
	return api.Client{Caller: &caller{w, sigv4.Key{
		AccessKeyID: id, Secret: sigv4.NewSecret("secret")}}}
}

func (w *world) with(c *api.Credentials) api.Client {
	return api.Client{Caller: &caller{w, keyOf(c)}}
}

func keyOf(c *api.Credentials) sigv4.Key {
	return sigv4.Key{AccessKeyID: c.AccessKeyId, Secret: sigv4.NewSecret(c.SecretAccessKey),
		SessionToken: c.SessionToken}
}

// answered is an error that the gateway answered.
type answered struct{ code, text string }

func (e *answered) Error() string { return e.code + ": " + e.text }

// Call is [wire.Caller]'s: one signed HTTP request.
func (c *caller) Call(_ context.Context, a *wire.API, name string, in, out any) error {
	codec, err := wire.Compile(a)
	if err != nil {
		return err
	}
	op, ok := a.Op(name)
	if !ok {
		return errors.New("no operation " + name)
	}
	q, err := codec.EncodeRequest(op, in)
	if err != nil {
		return err
	}
	r := httptest.NewRequest(q.Method, "https://localhost"+q.Path, bytes.NewReader(q.Body))
	for k, v := range q.Header {
		r.Header[k] = v
	}
	sigv4.Sign(r, q.Body, c.key, region, a.SigningName, c.w.time())
	rec := httptest.NewRecorder()
	c.w.gw.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := xml.Unmarshal(rec.Body.Bytes(), &e); err != nil {
			return err
		}
		return &answered{e.Error.Code, e.Error.Message}
	}
	return codec.DecodeResponse(op,
		&wire.Response{Status: rec.Code, Header: rec.Header(), Body: rec.Body.Bytes()}, out)
}

// refused fails unless err is the code, with the text in it.
func refused(t testing.TB, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[*answered](err)
	if !ok || e.code != code || !strings.Contains(e.text, text) {
		t.Errorf("%v; want %s: …%s…", err, code, text)
	}
}

// assume assumes a role, which must work.
func (w *world) assume(c api.Client, in *api.AssumeRoleInput) *api.AssumeRoleOutput {
	w.t.Helper()
	if in.RoleSessionName == "" {
		in.RoleSessionName = "s1"
	}
	out, err := c.AssumeRole(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("assume %s: %v", in.RoleArn, err)
	}
	return out
}

// events gives the events of home, the newest first.
func (w *world) events() []*audit.Event {
	w.t.Helper()
	list, _, err := w.log.Lookup(w.t.Context(), audit.Query{Account: home, Region: region})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// newest gives the newest event of an access key.
func (w *world) newest(accessKeyID string) *audit.Event {
	w.t.Helper()
	for _, e := range w.events() {
		if e.UserIdentity.AccessKeyID == accessKeyID {
			return e
		}
	}
	w.t.Fatalf("no event of %s", accessKeyID)
	return nil
}

// whoami gives the ARN of credentials, or the code of the refusal.
func (w *world) whoami(c api.Client) string {
	w.t.Helper()
	out, err := c.GetCallerIdentity(w.t.Context(), &api.GetCallerIdentityInput{})
	if e, ok := errors.AsType[*answered](err); ok {
		return e.code
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Arn
}
