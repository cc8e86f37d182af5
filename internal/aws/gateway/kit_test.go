package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
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
	here   = "eu-west-1"
)

// world is a gateway with one made-up service in three protocols.
type world struct {
	t      testing.TB
	now    time.Time
	engine *memory.Engine
	db     *control.DB
	log    *audit.Log
	gw     *Gateway
	people map[string]*Identity
	out    bytes.Buffer // the log; guarded by outMu
	outMu  sync.Mutex

	mu       sync.Mutex
	recorded []*audit.Event // as Events.Recorded told
	codes    []string       // as Events.Answered told
	finished []string       // as the service was told
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.engine = memory.New(memory.Config{Shards: 2})
	clock := func() time.Time { return w.now }
	var err error
	w.db, err = control.Open(context.Background(), w.shard(0), bytes.Repeat([]byte{7}, 32),
		control.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = audit.Open(t.Context(), w.db, w.shard(1), 1, audit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.log.Close)
	w.people = map[string]*Identity{
		"ROOT": person(t, policy.RootPrincipal(home), ""),
		"ALICE": person(t, user(home, "alice"), `{"Statement":[`+
			`{"Effect":"Allow","Action":"toy:*","Resource":"*"},`+
			`{"Effect":"Deny","Action":"toy:Get","Resource":"*"}]}`),
		"BOB":   person(t, user(home, "bob"), ""),
		"OTHER": person(t, policy.RootPrincipal(abroad), ""),
	}
	svc := &toy{w: w}
	w.gw, err = New(w.db, w.log, w, []Service{
		{API: toyAPI("json", "toy"), Impl: svc, Access: svc},
		{API: toyAPI("rest-json", "rest"), Impl: svc, Access: svc},
		{API: toyAPI("query", "form"), Impl: svc, Access: svc},
	}, Config{Now: clock, MaxBody: 1 << 20, Logger: slog.New(slog.NewTextHandler(w, nil)),
		Events: Events{Recorded: w.note, Answered: w.answered}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) shard(id store.ShardID) store.Shard {
	w.t.Helper()
	s, err := w.engine.Open(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.outMu.Lock()
	defer w.outMu.Unlock()
	return w.out.Write(p)
}

func (w *world) logged() string {
	w.outMu.Lock()
	defer w.outMu.Unlock()
	return w.out.String()
}

func (w *world) note(e *audit.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recorded = append(w.recorded, e)
}

func (w *world) answered(_, _, code string, _ int, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.codes = append(w.codes, code)
}

// Identity implements Identities: the access key is the name.
func (w *world) Identity(_ context.Context, name, token string) (*Identity, error) {
	switch id, ok := w.people[name]; {
	case name == "BROKEN":
		return nil, errors.New("the disk with the secret word is gone")
	case name == "LATE":
		return nil, fmt.Errorf("look up %s: %w", name, ErrExpired)
	case ok && token == "":
		return id, nil
	}
	return nil, fault.New(fault.Unauthenticated, "nobody is called %s", name)
}

func user(account, name string) policy.Principal {
	return policy.Principal{
		Kind: policy.User, Account: account, Name: name, UserID: "AIDA" + strings.ToUpper(name),
		ARN: "arn:aws:iam::" + account + ":user/" + name,
	}
}

func person(t testing.TB, p policy.Principal, doc string) *Identity {
	t.Helper()
	id := &Identity{Secret: sigv4.NewSecret("secret"), Principal: p}
	id.Event = audit.Identity{Type: "IAMUser", ARN: p.ARN, AccountID: p.Account, UserName: p.Name}
	if doc != "" {
		d, err := policy.Parse([]byte(doc), policy.Identity)
		if err != nil {
			t.Fatal(err)
		}
		id.Policies = []policy.Policy{{Name: "own", Document: d}}
	}
	return id
}

// ask is a request that is not signed yet.
type ask struct {
	who, region, service, secret string // default ROOT, here, toy, the right one
	method, path, body           string
	header                       map[string]string
	at                           time.Duration // the client's clock less the server's
	raw                          bool          // not signed
	edit                         func(*http.Request)
}

// put is a call of an operation by JSON.
func put(op, body string) ask {
	return ask{body: body, header: map[string]string{"X-Amz-Target": "Toy." + op}}
}

func (w *world) do(a ask) *httptest.ResponseRecorder {
	w.t.Helper()
	w.now = w.now.Add(time.Second) // so that events have an order
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&a.who, "ROOT")
	def(&a.region, here)
	def(&a.service, "toy")
	def(&a.secret, "secret")
	def(&a.method, http.MethodPost)
	def(&a.path, "/")
	r := httptest.NewRequest(a.method, "https://localhost"+a.path, strings.NewReader(a.body))
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	if !a.raw {
		key := sigv4.Key{AccessKeyID: a.who, Secret: sigv4.NewSecret(a.secret)}
		sigv4.Sign(r, []byte(a.body), key, a.region, a.service, w.now.Add(a.at))
	}
	if a.edit != nil {
		a.edit(r)
	}
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, r)
	return rec
}

// events gives the durable events of an account, oldest first.
func (w *world) events(account string) []*audit.Event {
	w.t.Helper()
	list, next, err := w.log.Lookup(context.Background(),
		audit.Query{Account: account, Region: here})
	if err != nil || next != nil {
		w.t.Fatalf("lookup: %v, more: %v", err, next != nil)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// trail tells the events of home as "Put ok, Get AccessDenied".
func (w *world) trail() string {
	w.t.Helper()
	var words []string
	for _, e := range w.events(home) {
		code := e.ErrorCode
		if code == "" {
			code = "ok"
		}
		words = append(words, e.EventName+" "+code)
	}
	return strings.Join(words, ", ")
}

// stored reports whether a Put of the name was kept.
func (w *world) stored(name string) bool {
	w.t.Helper()
	found := false
	err := w.db.View(context.Background(), func(_ context.Context, tx *control.Tx) (err error) {
		_, found, err = tx.Get(control.TableMQ, []byte(name))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func newAPI(protocol, name string, ops ...wire.Op) *wire.API {
	api := &wire.API{
		Name: name, Protocol: protocol, SigningName: name, EndpointPrefix: name,
		EventSource: name + ".amazonaws.com", ActionPrefix: "toy", Ops: ops,
		Shapes: []wire.Shape{{Name: "Name", Min: "1", Max: "8", Pattern: "[a-z]*"}},
	}
	switch protocol {
	case "json":
		api.JSONVersion, api.TargetPrefix = "1.1", "Toy"
	case "query":
		api.Version, api.XMLNamespace = "2026-01-01", "https://form.example/"
	}
	return api
}
