package mq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	cofferapi "coffer/internal/aws/api/coffer"
	kmsapi "coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/policy"
	"coffer/internal/seal"
	"coffer/internal/service/kms"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	home     = "111122223333"
	abroad   = "444455556666"
	here     = "us-east-1"
	password = "A-password-of-marker-1"
)

// world is Amazon MQ and KMS behind the real gateway, with the real keyring,
// over a store in memory. Its engine runs nothing.
type world struct {
	t      testing.TB
	db     *control.DB
	log    *audit.Log
	disk   *memory.Engine
	shards []store.Shard
	ring   *keyring.Keyring
	gw     *gateway.Gateway
	keys   *kms.Service
	svc    *Service
	engine *engine
	people map[string]*gateway.Identity

	mu     sync.Mutex
	now    time.Time
	fenced map[seal.DomainID]int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		fenced: map[seal.DomainID]int{}}
	w.disk = memory.New(memory.Config{Shards: 2})
	for id := range store.ShardID(2) {
		s, err := w.disk.Open(context.Background(), id)
		must(t, err)
		w.shards = append(w.shards, s)
	}
	clock := func() time.Time { return w.tick(0) }
	var err error
	w.db, err = control.Open(context.Background(), w.shards[0], bytes.Repeat([]byte{7}, 32),
		control.Config{Now: clock})
	must(t, err)
	w.log, err = audit.Open(t.Context(), w.db, w.shards[1], 1, audit.Config{})
	must(t, err)
	t.Cleanup(w.log.Close)
	quiet := slog.New(slog.DiscardHandler)
	w.ring = keyring.New(w.db.StartNumber(), keyring.Config{Logger: quiet, Fenced: w.note})
	t.Cleanup(w.ring.Close)
	w.keys, err = kms.New(w.db, w.ring, kms.Config{})
	must(t, err)
	w.engine = &engine{w: w, brokers: map[uuid.UUID]*keyring.Domain{}}
	t.Cleanup(w.engine.work.Wait)
	w.svc = New(w.db, w, w.engine)
	w.people = map[string]*gateway.Identity{}
	for name, p := range map[string]policy.Principal{
		"ROOT": policy.RootPrincipal(home), "OTHER": policy.RootPrincipal(abroad),
	} {
		w.people[name] = &gateway.Identity{Secret: sigv4.NewSecret("secret"), Principal: p,
			Event: audit.Identity{Type: "Root", PrincipalID: p.Account, ARN: p.ARN,
				AccountID: p.Account}}
	}
	w.gw, err = gateway.New(w.db, w.log, w, []gateway.Service{
		{API: &kmsapi.API, Impl: w.keys, Access: w.keys},
		{API: &api.API, Impl: w.svc, Access: w.svc},
		{API: &cofferapi.API, Impl: rekeyer{svc: w.svc, keys: w.keys}},
	}, gateway.Config{Now: clock, Logger: quiet,
		Events: gateway.Events{Recorded: audittest.Recorded(t)}})
	must(t, err)
	return w
}

// tick moves the clock and gives its time.
func (w *world) tick(d time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return w.now
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) note(_ string, ids []seal.DomainID, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.fenced[id]++
	}
}

// fences tells how often the broker lost its key to a fence.
func (w *world) fences(broker string) int {
	w.t.Helper()
	id, err := uuid.Parse(strings.TrimPrefix(broker, "b-"))
	must(w.t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fenced[seal.DomainID(id)]
}

// Identity implements gateway.Identities: the access key is the name.
func (w *world) Identity(_ context.Context, name, _ string) (*gateway.Identity, error) {
	if id, ok := w.people[name]; ok {
		return id, nil
	}
	return nil, fault.New(fault.Unauthenticated, "nobody is called %s", name)
}

// As implements KMS, as node does.
func (w *world) As(who Who) kmsapi.Service {
	return kmsapi.Client{Caller: caller{w.engine, &gateway.Caller{
		Gateway: w.gw, Service: who.Principal, OnBehalf: who.OnBehalf,
		Account: who.Account, Region: who.Region, Grant: who.Grant,
		EventSource: who.EventSource, UserAgent: who.UserAgent, Unshown: who.Unshown,
	}}}
}

// caller fails where the engine is told to, after the call.
type caller struct {
	engine *engine
	wire.Caller
}

func (c caller) Call(ctx context.Context, api *wire.API, name string, in, out any) error {
	if err := c.Caller.Call(ctx, api, name, in, out); err != nil {
		return err
	}
	return c.engine.failing(name)
}

// EnsureOwned implements KMS.
func (w *world) EnsureOwned(ctx context.Context, region string) (string, error) {
	return w.keys.EnsureOwned(ctx, "mq", region)
}

// EnsureManaged implements KMS.
func (w *world) EnsureManaged(ctx context.Context, account, region string) (string, error) {
	return w.keys.EnsureManaged(ctx, account, region, "mq")
}

// object is a request or an answer.
type object = map[string]any

// do sends a signed request as name or name@region.
func (w *world) do(who, method, path string, body any, service, target string) (int, object) {
	w.t.Helper()
	now := w.tick(time.Second)
	text, err := json.Marshal(body)
	must(w.t, err)
	if string(text) == "null" {
		text = nil
	}
	r := httptest.NewRequest(method, "https://localhost"+path, bytes.NewReader(text))
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	name, region, ok := strings.Cut(who, "@")
	if !ok {
		region = here
	}
	key := sigv4.Key{AccessKeyID: name, Secret: sigv4.NewSecret("secret")}
	sigv4.Sign(r, text, key, region, service, now)
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, r)
	out := object{}
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			w.t.Fatalf("answer %q: %v", rec.Body, err)
		}
	}
	if code := rec.Header().Get("X-Amzn-Errortype"); code != "" {
		out["code"] = code
	}
	return rec.Code, out
}

func (w *world) mq(who, method, path string, body any) (int, object) {
	w.t.Helper()
	return w.do(who, method, "/v1/brokers"+path, body, "mq", "")
}

// kms runs an operation of KMS that must succeed.
func (w *world) kms(who, op string, body object) object {
	w.t.Helper()
	status, out := w.do(who, http.MethodPost, "/", body, "kms", kmsapi.API.TargetPrefix+"."+op)
	if status != 200 {
		w.t.Fatalf("%s %v: %d %v", op, body, status, out)
	}
	return out
}

// request is a CreateBroker that works, changed.
func request(change object) object {
	o := object{
		"brokerName": "orders", "engineType": "RABBITMQ", "deploymentMode": "SINGLE_INSTANCE",
		"hostInstanceType": "mq.m5.large", "publiclyAccessible": false,
		"users": []any{object{"username": "admin", "password": password}},
	}
	maps.Copy(o, change)
	return o
}

// create makes a broker that must run, and gives its id.
func (w *world) create(name, key string) string {
	w.t.Helper()
	o := object{"brokerName": name}
	if key != "" {
		o["encryptionOptions"] = object{"useAwsOwnedKey": false, "kmsKeyId": key}
	}
	status, out := w.mq("ROOT", http.MethodPost, "", request(o))
	if status != 200 {
		w.t.Fatalf("create %s: %d %v", name, status, out)
	}
	id := out["brokerId"].(string)
	w.engine.work.Wait()
	if s := w.state(id); s != "RUNNING" {
		w.t.Fatalf("broker %s is %s", name, s)
	}
	return id
}

func (w *world) describe(id string) object {
	w.t.Helper()
	status, out := w.mq("ROOT", http.MethodGet, "/"+id, nil)
	if status != 200 {
		w.t.Fatalf("describe %s: %d %v", id, status, out)
	}
	return out
}

func (w *world) state(id string) string {
	w.t.Helper()
	return w.describe(id)["brokerState"].(string)
}

// key makes a customer's key and gives its ARN.
func (w *world) key(who string, in object) string {
	w.t.Helper()
	return w.kms(who, "CreateKey", in)["KeyMetadata"].(object)["Arn"].(string)
}

// grants gives the grants on a key by their ids.
func (w *world) grants(key string) map[string]object {
	w.t.Helper()
	list := map[string]object{}
	for _, g := range w.kms("ROOT", "ListGrants", object{"KeyId": key})["Grants"].([]any) {
		list[g.(object)["GrantId"].(string)] = g.(object)
	}
	return list
}

// events tells the events of home with a name, oldest first.
func (w *world) events(name string) []*audit.Event {
	w.t.Helper()
	list, _, err := w.log.Lookup(context.Background(), audit.Query{Account: home, Region: here,
		Attribute: "EventName", Value: name})
	must(w.t, err)
	slices.Reverse(list)
	return list
}

// engine keeps a broker's domain open and serves nobody.
type engine struct {
	w    *world
	work sync.WaitGroup

	mu      sync.Mutex
	fail    string // the next call of this name fails
	brokers map[uuid.UUID]*keyring.Domain
	log     []string

	settings Settings // of the last start or reboot
}

var _ Engine = (*engine)(nil)

func (e *engine) did(what string) error {
	if err := e.failing(what); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, what)
	return nil
}

func (e *engine) failing(what string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != what {
		return nil
	}
	e.fail = ""
	return fmt.Errorf("%s fails", what)
}

// domain gives that of a broker.
func (e *engine) domain(t testing.TB, id string) *keyring.Domain {
	t.Helper()
	u, err := uuid.Parse(strings.TrimPrefix(id, "b-"))
	must(t, err)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.brokers[u]
}

func (e *engine) HashPassword(ctx context.Context, p []byte) (string, error) {
	if control.From(ctx) != nil {
		return "", fmt.Errorf("hashing in a unit of work")
	}
	return fmt.Sprintf("hash of %d", len(p)), e.did("hash")
}

func (e *engine) Create(ctx context.Context, id uuid.UUID, users []User) error {
	return e.w.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		tx.Put(control.TableRabbit, id[:], []byte(users[0].Name+users[0].Hash))
		return e.did("create")
	})
}

func (e *engine) Delete(ctx context.Context, id uuid.UUID) error {
	return e.w.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		tx.Delete(control.TableRabbit, id[:])
		return e.did("delete")
	})
}

func (e *engine) Start(b Running) {
	d := e.w.ring.Add(seal.DomainID(b.ID), b.Key, b.Grants, e.w.svc)
	e.mu.Lock()
	e.brokers[b.ID], e.settings = d, b.Settings
	e.mu.Unlock()
	e.work.Go(func() {
		// Whether it opens, State tells.
		_ = e.w.ring.Open(context.Background(), d)
	})
}

func (e *engine) Stop(id uuid.UUID) {
	e.w.ring.Remove(seal.DomainID(id))
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.brokers, id)
	e.log = append(e.log, "stop")
}

func (e *engine) Reboot(b Running) {
	_ = e.did("reboot")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settings = b.Settings
}

func (e *engine) Rest(b Running) {
	_ = e.did("rest")
	e.w.ring.Rebind(seal.DomainID(b.ID), b.Key, b.Grants)
}

func (e *engine) State(id uuid.UUID) State {
	e.mu.Lock()
	d := e.brokers[id]
	e.mu.Unlock()
	if d == nil {
		return State{}
	}
	s := State{Phase: Serving, Endpoints: []string{"amqps://localhost:5671"}}
	if why := d.Locked(); why != nil {
		s.Phase, s.Reason = Locked, why.Error()
	}
	return s
}

// settled waits until the broker's key was asked for again, and gives its state.
func (w *world) settled(id string, want string) {
	w.t.Helper()
	if d := w.engine.domain(w.t, id); d != nil {
		_ = d.Refresh(context.Background()) // waits for one that is under way
	}
	if got := w.state(id); got != want {
		w.t.Errorf("broker %s is %s, want %s: %v", id, got, want, w.describe(id)["actionsRequired"])
	}
}

// wrapOther gives another key, wrapped as the broker key of its second volume.
func wrapOther(b *row, dataKey seal.Secret) ([]byte, error) {
	return seal.Wrap(dataKey, wrapUse, b.wrapAAD(&b.Volumes[1]), make(seal.Secret, seal.KeySize))
}
