package management

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/rabbitmq"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// world is the management API of a broker over a store in memory, with the protocol
// beside it.
type world struct {
	t       testing.TB
	broker  *rabbitmq.Broker
	server  *amqp091.Server
	handler *Handler
	log     bytes.Buffer
	guest   rabbitmq.UserSpec
	serving sync.WaitGroup
}

func newWorld(t testing.TB) *world {
	t.Helper()
	engine := memory.New(memory.Config{Shards: 3})
	var shards []store.Shard
	for _, id := range engine.Shards() {
		s, err := engine.Open(t.Context(), id)
		must(t, err)
		shards = append(shards, s)
	}
	db, err := control.Open(t.Context(), shards[0], bytes.Repeat([]byte{7}, 32), control.Config{})
	must(t, err)
	core, err := broker.Open(t.Context(), broker.Config{
		Shards: shards[1:2], Control: db, Lead: amqp091.Lead,
	})
	must(t, err)
	ring := keyring.New(1, keyring.Config{})
	w := &world{t: t}
	t.Cleanup(func() {
		w.serving.Wait()
		ring.Close()
		must(t, core.Close(context.Background()))
	})
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	eng := rabbitmq.New(core, db, rabbitmq.Config{Logger: log})
	id := uuid.New()
	hash, err := eng.Hasher().Hash(t.Context(), []byte("guest"))
	must(t, err)
	must(t, eng.Create(t.Context(), id, []rabbitmq.User{
		{Name: "guest", Hash: hash, Tags: []string{tagAdministrator}},
	}))
	domain := ring.Add(seal.DomainID(id), "key", nil, source{})
	must(t, ring.Open(t.Context(), domain))
	w.guest = rabbitmq.UserSpec{
		Name: "guest", Tags: []string{tagAdministrator}, Argon2id: hash,
	}
	w.broker, err = eng.Open(t.Context(), id, domain)
	must(t, err)
	w.server, err = amqp091.New(amqp091.Config{
		Engine: engineOf{w.broker}, Logger: log, RefusalDelay: 1,
	})
	must(t, err)
	w.handler = New(w.broker, doors{w}, nobody{}, nobody{}, Config{Logger: log})
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// source gives every domain the same secret.
type source struct{}

func (source) OpenDomain(context.Context, seal.DomainID) (seal.Secret, error) {
	return bytes.Repeat([]byte{9}, seal.KeySize), nil
}

// engineOf fits a broker to the protocol.
type engineOf struct{ *rabbitmq.Broker }

func (e engineOf) Permit(
	user, vhost string, kind amqp091.Resource, name string, action amqp091.Action,
) error {
	return e.Broker.Permit(user, vhost, string(kind), name, string(action))
}

func (e engineOf) Watch(_ *broker.Namespace, fn func()) (stop func()) {
	return e.Broker.Watch(fn)
}

// doors are the protocol as the API sees it.
type doors struct{ w *world }

func (d doors) Dial(_ context.Context, user string) (net.Conn, error) {
	near, far := net.Pipe()
	d.w.serving.Go(func() { d.w.server.ServeAs(context.Background(), far, user) })
	return near, nil
}

func (d doors) Arguments(table []byte) (map[string]any, error) {
	if len(table) < 4 {
		return map[string]any{}, nil
	}
	t, err := wire.ParseTable(table[4:])
	return t.Plain(), err
}

func (d doors) Listeners() []Listener {
	return []Listener{{Protocol: "https", Address: "127.0.0.1", Port: 15671, TLS: true}}
}

// nobody is connected.
type nobody struct{}

func (nobody) Connections() []Connection           { return nil }
func (nobody) CloseConnection(string, string) bool { return false }
func (nobody) Totals() Totals                      { return Totals{} }
func (nobody) Machine() Machine                    { return Machine{} }

func (nobody) Shovels() []Link                    { return nil }
func (nobody) RestartShovel(string, string) error { return fault.New(fault.NotFound, "none") }
func (nobody) FederationLinks() []Link            { return nil }
func (nobody) RestartFederation(string, string) error {
	return fault.New(fault.NotFound, "none")
}

// ask sends one request and gives the answer.
func (w *world) ask(user, method, path, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if user != "" {
		r.SetBasicAuth(user, user)
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// value reads an answer.
func value[T any](t testing.TB, rec *httptest.ResponseRecorder) (v T) {
	t.Helper()
	text, err := io.ReadAll(rec.Body)
	must(t, err)
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("answer %d %q: %v", rec.Code, text, err)
	}
	return v
}
