package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	kmsapi "coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/broker"
	"coffer/internal/broker/brokertest"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/policy"
	"coffer/internal/service/kms"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// patience is how long a message is waited for that does not come.
const patience = 2 * time.Minute

const (
	home   = "111122223333"
	abroad = "444455556666"
	here   = "us-east-1"
)

// world is SQS and KMS behind the real gateway, with the real keyring and broker, over a
// store in memory and on a clock that a test moves.
type world struct {
	t      testing.TB
	disk   *memory.Engine
	clock  *brokertest.Clock
	people map[string]*gateway.Identity
	full   atomic.Bool // no room is left for messages
	data   atomic.Bool // every data event is wanted
	*process
}

// process is what a start makes and an end takes away.
type process struct {
	db   *control.DB
	log  *audit.Log
	ring *keyring.Keyring
	core *broker.Core
	keys *kms.Service
	svc  *Service
	gw   *gateway.Gateway
}

// shards are control, two for queues, and the one for events.
const shards = 4

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: brokertest.NewClock(), people: map[string]*gateway.Identity{}}
	w.disk = memory.New(memory.Config{Shards: shards})
	for name, p := range map[string]policy.Principal{
		"ROOT": policy.RootPrincipal(home), "OTHER": policy.RootPrincipal(abroad),
	} {
		w.people[name] = &gateway.Identity{Secret: sigv4.NewSecret("secret"), Principal: p,
			Event: audit.Identity{Type: "Root", PrincipalID: p.Account, ARN: p.ARN,
				AccountID: p.Account}}
	}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.t.Helper()
	ctx := context.Background()
	open := make([]store.Shard, shards)
	var err error
	for id := range open {
		open[id], err = w.disk.Open(ctx, store.ShardID(id))
		must(w.t, err)
	}
	p := &process{}
	w.process = p
	p.db, err = control.Open(ctx, open[0], bytes.Repeat([]byte{7}, 32),
		control.Config{Now: w.clock.Now})
	must(w.t, err)
	p.log, err = audit.Open(ctx, p.db, open[shards-1], shards-1, audit.Config{})
	must(w.t, err)
	quiet := slog.New(slog.DiscardHandler)
	p.ring = keyring.New(p.db.StartNumber(), keyring.Config{Logger: quiet})
	p.core, err = broker.Open(ctx, w.clock.Use(broker.Config{
		Shards: open[1 : shards-1], Control: p.db, Logger: quiet, Room: w.room,
	}))
	must(w.t, err)
	p.keys, err = kms.New(p.db, p.ring, kms.Config{})
	must(w.t, err)
	p.svc = New(p.db, p.core, p.ring, w, Config{Logger: quiet, Now: w.clock.Now})
	p.gw, err = gateway.New(p.db, p.log, w, []gateway.Service{
		{API: &kmsapi.API, Impl: p.keys, Access: p.keys},
		{API: &api.API, Impl: p.svc, Access: p.svc, MaxBody: MaxBody},
	}, gateway.Config{Now: w.clock.Now, Logger: quiet,
		Selected: func(*audit.Event) bool { return w.data.Load() },
		Events:   gateway.Events{Recorded: audittest.Recorded(w.t)}})
	must(w.t, err)
	must(w.t, p.svc.Start(ctx))
}

func (w *world) room() error {
	if w.full.Load() {
		return fault.New(fault.Exhausted, "The disk is full.")
	}
	return nil
}

func (w *world) stop() {
	w.t.Helper()
	ctx := context.Background()
	must(w.t, w.svc.Close(ctx))
	must(w.t, w.core.Close(ctx))
	w.ring.Close()
	w.log.Close()
}

// restart ends the process in order and starts another one on what is stored.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.disk = w.disk.Image()()
	w.start()
}

// crash starts another process on what was durable at this instant.
func (w *world) crash() {
	w.t.Helper()
	left := w.disk.Image()
	w.stop()
	w.disk = left()
	w.start()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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
	return kmsapi.Client{Caller: w.caller(who)}
}

func (w *world) caller(who Who) *gateway.Caller {
	return &gateway.Caller{
		Gateway: w.gw, Service: Principal, OnBehalf: who.OnBehalf,
		Account: who.Account, Region: who.Region, SourceARN: who.SourceARN,
		SourceIP: Principal, UserAgent: Principal,
	}
}

// Permitted implements KMS.
func (w *world) Permitted(ctx context.Context, operation string, in any) error {
	return w.caller(Who{OnBehalf: true}).Permitted(ctx, &kmsapi.API, operation, in)
}

// Usable implements KMS.
func (w *world) Usable(ctx context.Context, arn string) error { return w.keys.Usable(ctx, arn) }

// EnsureManaged implements KMS.
func (w *world) EnsureManaged(ctx context.Context, account, region string) (string, error) {
	return w.keys.EnsureManaged(ctx, account, region, "sqs")
}

// EnsureOwned implements KMS.
func (w *world) EnsureOwned(ctx context.Context, region string) (string, error) {
	return w.keys.EnsureOwned(ctx, "sqs", region)
}

// object is a request or an answer.
type object = map[string]any

// post sends a signed request as name or name@region.
func (w *world) post(
	who, service, path, kind, target string, body []byte,
) *httptest.ResponseRecorder {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, w.request(ctx, who, service, path, kind, target, body))
	return rec
}

// request makes and signs a request, whose client is there while ctx is.
func (w *world) request(
	ctx context.Context, who, service, path, kind, target string, body []byte,
) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "POST", "https://localhost:4566"+path,
		bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	name, region, ok := strings.Cut(who, "@")
	if !ok {
		region = here
	}
	key := sigv4.Key{AccessKeyID: name, Secret: sigv4.NewSecret("secret")}
	sigv4.Sign(r, body, key, region, service, w.clock.Now())
	return r
}

// try runs an operation in JSON and gives the answer, or an error's code in the query
// protocol and its text.
func (w *world) try(who, op string, in object) (out object, failure string) {
	w.t.Helper()
	body, err := json.Marshal(in)
	must(w.t, err)
	rec := w.post(who, "sqs", "/", "application/x-amz-json-1.0", "AmazonSQS."+op, body)
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%s: %d %q: %v", op, rec.Code, rec.Body, err)
	}
	if rec.Code != 200 {
		code, _, _ := strings.Cut(rec.Header().Get("X-Amzn-Query-Error"), ";")
		text, _ := out["message"].(string)
		return nil, code + ": " + text
	}
	return out, ""
}

// do runs an operation that must succeed.
func (w *world) do(op string, in object) object {
	w.t.Helper()
	out, failure := w.try("ROOT", op, in)
	if failure != "" {
		w.t.Fatalf("%s %v: %s", op, in, failure)
	}
	return out
}

// refused runs an operation that must fail, with a code and a text that contains a part.
func (w *world) refused(who, op string, in object, code, part string) {
	w.t.Helper()
	_, failure := w.try(who, op, in)
	got, text, _ := strings.Cut(failure, ": ")
	if got != code || !strings.Contains(text, part) {
		w.t.Errorf("%s %v: %q, want %s: %s", op, in, failure, code, part)
	}
}

// create makes a queue and gives its URL.
func (w *world) create(name string, attributes object) string {
	w.t.Helper()
	in := object{"QueueName": name}
	if attributes != nil {
		in["Attributes"] = attributes
	}
	return w.do("CreateQueue", in)["QueueUrl"].(string)
}

// send sends bodies, one by one.
func (w *world) send(url string, bodies ...string) {
	w.t.Helper()
	for _, b := range bodies {
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": b})
	}
}

// receive takes up to ten messages, of which the broker may give fewer: what has to be
// read from the store, or has just become due, may need a wait.
func (w *world) receive(url string, more object) []object {
	w.t.Helper()
	in := object{"QueueUrl": url, "MaxNumberOfMessages": maxBatch}
	for k, v := range more {
		in[k] = v
	}
	list, _ := w.do("ReceiveMessage", in)["Messages"].([]any)
	var out []object
	for _, m := range list {
		out = append(out, m.(object))
	}
	return out
}

// one waits for a message, which comes: time stands still.
func (w *world) one(url string, more object) object {
	w.t.Helper()
	in := object{"WaitTimeSeconds": 20, "MaxNumberOfMessages": 1}
	for k, v := range more {
		in[k] = v
	}
	return w.receive(url, in)[0]
}

// bodies waits for n messages, one by one, and gives their bodies.
func (w *world) bodies(url string, n int) (list []string) {
	w.t.Helper()
	for range n {
		list = append(list, w.one(url, nil)["Body"].(string))
	}
	return list
}

// attribute gives one attribute of a queue.
func (w *world) attribute(url, name string) string {
	w.t.Helper()
	out := w.do("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{name}})
	all, _ := out["Attributes"].(object)
	text, _ := all[name].(string)
	return text
}

// pass moves the time.
func (w *world) pass(d time.Duration) { w.clock.Advance(d) }
