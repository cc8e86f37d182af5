package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	api "coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/policy"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

var (
	_ Fencer  = (*keyring.Keyring)(nil)
	_ Holders = (*keyring.Keyring)(nil)
)

const (
	home   = "111122223333"
	abroad = "444455556666"
	here   = "us-east-1"

	signingSecret = "a secret as long as those that AWS gives"
)

// world is a KMS behind the real gateway over a store in memory.
type world struct {
	t      testing.TB
	db     *control.DB
	svc    *Service
	gw     *gateway.Gateway
	log    *audit.Log
	fences *fences
	fencer Fencer
	now    time.Time
	people map[string]*gateway.Identity
}

// fences records what was fenced and when it was lifted or rechecked.
type fences struct {
	mu  sync.Mutex
	log []string
}

func (f *fences) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fences) Fence(key string, why error) func() {
	f.add("fence %s: %s", key, why)
	return func() { f.add("lift %s", key) }
}

func (f *fences) FenceGrant(key, grant string, why error) func() {
	f.add("fence %s of %s: %s", grant, key, why)
	return func() { f.add("lift %s", key) }
}

func (f *fences) Recheck(key string) { f.add("recheck %s", key) }

// take gives what was recorded since the last call.
func (f *fences) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.log
	f.log = nil
	return got
}

func newWorld(t testing.TB) *world {
	t.Helper()
	f := &fences{}
	w := newWorldWith(t, f)
	w.fences = f
	return w
}

func newWorldWith(t testing.TB, fencer Fencer) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	engine := memory.New(memory.Config{Shards: 2})
	open := func(id store.ShardID) store.Shard {
		s, err := engine.Open(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	clock := func() time.Time { return w.now }
	var err error
	root := bytes.Repeat([]byte{7}, 32)
	w.db, err = control.Open(context.Background(), open(0), root, control.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = audit.Open(t.Context(), w.db, open(1), 1, audit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.log.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	w.people = map[string]*gateway.Identity{
		"root":  person(t, policy.RootPrincipal(home), ""),
		"alice": person(t, user(home, "alice"), allowRelay),
		"bob":   person(t, user(home, "bob"), allowKMS),
		"other": person(t, policy.RootPrincipal(abroad), ""),
		"carol": person(t, user(abroad, "carol"), allowKMS),
		"dave":  person(t, user(abroad, "dave"), ""),
	}
	w.fencer = fencer
	w.serve()
	return w
}

// serve builds the service and the gateway, the first time or as a new process.
func (w *world) serve() {
	w.t.Helper()
	var err error
	w.svc, err = New(w.db, w.fencer, Config{MaxGrants: 40, MaxAliases: 5, Trail: w.log})
	if err != nil {
		w.t.Fatal(err)
	}
	w.gw, err = gateway.New(w.db, w.log, w, []gateway.Service{
		{API: &api.API, Impl: w.svc, Access: w.svc}, {API: relayAPI(), Impl: &relay{w}},
		{API: ownAPI(), Impl: &own{w}, Access: &own{w}},
	}, gateway.Config{
		Now:    func() time.Time { return w.now },
		Events: gateway.Events{Recorded: audittest.Recorded(w.t)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

const allowKMS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
	`"Action":["kms:*","relay:*"],"Resource":"*"}]}`

const allowRelay = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"relay:*",` +
	`"Resource":"*"}]}`

func user(account, name string) policy.Principal {
	return policy.Principal{
		Kind: policy.User, Account: account, Name: name, UserID: "AIDA" + strings.ToUpper(name),
		ARN: "arn:aws:iam::" + account + ":user/" + name,
	}
}

func person(t testing.TB, p policy.Principal, doc string) *gateway.Identity {
	id := &gateway.Identity{Secret: sigv4.NewSecret(signingSecret), Principal: p}
	id.Event = audit.Identity{Type: "IAMUser", PrincipalID: p.UserID, ARN: p.ARN,
		AccountID: p.Account, UserName: p.Name}
	if p.Kind == policy.Root {
		id.Event.Type, id.Event.PrincipalID = "Root", p.Account
	}
	if doc != "" {
		d, err := policy.Parse([]byte(doc), policy.Identity)
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.ValueOf(id).Elem().FieldByName("Policies")
		v.Set(reflect.Append(v, reflect.ValueOf(policy.Policy{Name: "own", Document: d})))
	}
	return id
}

// Identity implements gateway.Identities: the access key is the name.
func (w *world) Identity(_ context.Context, name, _ string) (*gateway.Identity, error) {
	if id, ok := w.people[name]; ok {
		return id, nil
	}
	return nil, fault.New(fault.Unauthenticated, "nobody is called %s", name)
}

// post sends a signed request and gives the status and the body.
func (w *world) post(who, region, service, target, body string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://localhost/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	key := sigv4.Key{AccessKeyID: who, Secret: sigv4.NewSecret(signingSecret)}
	sigv4.Sign(r, []byte(body), key, region, service, w.now)
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// do runs an operation as someone: a person, name@region, a service that calls
// as itself (mq), in the name of one grant (mq:grant), or on behalf of a person
// (root via mq). It gives "200 {…}" or "400 Code: message".
func (w *world) do(who, op, body string) string {
	w.t.Helper()
	if person, service, ok := strings.Cut(who, " via "); ok {
		in, err := json.Marshal(relayInput{Service: service, Op: op, Body: body})
		if err != nil {
			w.t.Fatal(err)
		}
		_, out := w.post(person, here, "relay", "Relay.Relay", string(in))
		var answer relayOutput
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Answer == "" {
			return out
		}
		return answer.Answer
	}
	name, region, ok := strings.Cut(who, "@")
	if !ok {
		region = here
	}
	service, grant, _ := strings.Cut(name, ":")
	if _, known := w.people[name]; !known {
		c := &gateway.Caller{
			Gateway: w.gw, Service: service + ".amazonaws.com", Account: home, Region: region,
			Grant: grant,
		}
		return callAs(context.Background(), c, op, body)
	}
	status, out := w.post(name, region, "kms", api.API.TargetPrefix+"."+op, body)
	if status == http.StatusOK {
		return "200 " + out
	}
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		w.t.Fatalf("%s: answer %q: %v", op, out, err)
	}
	return strings.TrimRight(fmt.Sprintf("%d %s: %s", status, e.Type, e.Message), " ")
}

// client calls as Amazon MQ, in the name of a grant if one is given.
func (w *world) client(grant string) api.Client {
	return api.Client{Caller: &gateway.Caller{
		Gateway: w.gw, Service: "mq.amazonaws.com", Account: home, Region: here, Grant: grant,
	}}
}

// callAs makes an in-process call and shows its answer as do does.
func callAs(ctx context.Context, c *gateway.Caller, name, body string) string {
	op, ok := api.API.Op(name)
	if !ok {
		return "no operation " + name
	}
	in, out := op.In(), op.Out()
	if err := json.Unmarshal([]byte(body), in); err != nil {
		return err.Error()
	}
	if err := c.Call(ctx, &api.API, name, in, out); err != nil {
		code := fault.KindOf(err).String()
		if f, ok := errors.AsType[wire.Fault](err); ok {
			code, _ = f.Fault()
		}
		return "400 " + code + ": " + err.Error()
	}
	b, err := json.Marshal(present(reflect.ValueOf(out).Elem()))
	if err != nil {
		return err.Error()
	}
	return "200 " + string(b)
}

// present gives the members of an answer that are there.
func present(v reflect.Value) object {
	o := object{}
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Pointer && f.Elem().Kind() == reflect.Struct:
			o[v.Type().Field(i).Name] = present(f.Elem())
		default:
			o[v.Type().Field(i).Name] = f.Interface()
		}
	}
	return o
}

// must runs an operation that has to succeed and gives its answer.
func (w *world) must(who, op string, in, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := w.do(who, op, string(body))
	rest, ok := strings.CutPrefix(answer, "200 ")
	if !ok {
		w.t.Fatalf("%s %s %s: %s", who, op, body, answer)
	}
	if out != nil && rest != "" {
		if err := json.Unmarshal([]byte(rest), out); err != nil {
			w.t.Fatalf("%s: %s: %v", op, rest, err)
		}
	}
}

// object is a request or an answer written by hand.
type object = map[string]any

// key makes a key and gives its ARN.
func (w *world) key(who string, in object) string {
	w.t.Helper()
	var out struct{ KeyMetadata struct{ Arn string } }
	w.must(who, "CreateKey", in, &out)
	return out.KeyMetadata.Arn
}

// relay is a service that makes a call to the KMS on behalf of its caller.
type relay struct{ w *world }

type relayInput struct {
	Service string `aws:"Service,"`
	Op      string `aws:"Op,"`
	Body    string `aws:"Body,"`
}

type relayOutput struct {
	Answer string `aws:"Answer,"`
}

func (r *relay) Relay(ctx context.Context, in *relayInput) (*relayOutput, error) {
	c := &gateway.Caller{
		Gateway: r.w.gw, Service: in.Service + ".amazonaws.com", OnBehalf: true,
		Account: gateway.From(ctx).Account, Region: here,
	}
	if in.Service == "sqs" {
		c.SourceIP, c.UserAgent = "sqs.amazonaws.com", "sqs.amazonaws.com"
	}
	return &relayOutput{callAs(ctx, c, in.Op, in.Body)}, nil
}

func relayAPI() *wire.API {
	return &wire.API{
		Name: "relay", Protocol: "json", JSONVersion: "1.1", TargetPrefix: "Relay",
		SigningName: "relay", EndpointPrefix: "relay", ActionPrefix: "relay",
		EventSource: "relay.amazonaws.com",
		Ops: []wire.Op{
			wire.Method(wire.Op{Name: "Relay", Method: "POST", URI: "/"}, (*relay).Relay),
		},
	}
}
