package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/rabbitmq"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// oneSecret is the key of every domain.
type oneSecret struct{}

func (oneSecret) OpenDomain(context.Context, seal.DomainID) (seal.Secret, error) {
	return bytes.Repeat([]byte{9}, seal.KeySize), nil
}

// newRabbit makes an empty broker in memory, with what the protocol knows of arguments.
func newRabbit(t testing.TB) *rabbitmq.Broker {
	t.Helper()
	ctx, disk := t.Context(), memory.New(memory.Config{Shards: 2})
	var shards []store.Shard
	for _, id := range disk.Shards() {
		s, err := disk.Open(ctx, id)
		must(t, err)
		shards = append(shards, s)
	}
	db, err := control.Open(ctx, shards[0], bytes.Repeat([]byte{7}, 32), control.Config{})
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	core, err := broker.Open(ctx, broker.Config{Shards: shards[1:], Control: db, Logger: quiet})
	must(t, err)
	ring := keyring.New(1, keyring.Config{Logger: quiet})
	t.Cleanup(func() {
		ring.Close()
		if err := core.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	engine := rabbitmq.New(core, db, rabbitmq.Config{
		Logger: quiet, Dialect: dialect{}, Declarer: dialect{}, Build: "test",
		Components: map[string]func(rabbitmq.Parameter) error{
			"shovel":              func(rabbitmq.Parameter) error { return nil },
			"federation-upstream": func(rabbitmq.Parameter) error { return nil },
		},
	})
	id := uuid.New()
	must(t, engine.Create(ctx, id, nil))
	domain := ring.Add(seal.DomainID(id), "key", nil, oneSecret{})
	must(t, ring.Open(ctx, domain))
	b, err := engine.Open(ctx, id, domain)
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readDefinitions(t testing.TB, text []byte) (d rabbitmq.Definitions) {
	t.Helper()
	must(t, json.Unmarshal(text, &d))
	return d
}

func exported(t testing.TB, b *rabbitmq.Broker, vhost string) []byte {
	t.Helper()
	d, err := b.Export(t.Context(), vhost)
	must(t, err)
	text, err := json.MarshalIndent(d, "", "  ")
	must(t, err)
	return text
}

// realExport is what the script beside it made RabbitMQ 3.10.8 write.
const realExport = "testdata/definitions-3.10.8.json"

// TestImportOfRabbitMQ: what RabbitMQ exported is here then, and works.
func TestImportOfRabbitMQ(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(realExport)
	must(t, err)
	b, ctx := newRabbit(t), t.Context()
	must(t, b.Import(ctx, readDefinitions(t, text), ""))
	for user, password := range map[string]string{
		"guest": "guest", "ann": "ann-secret", "bob": "bob-secret",
	} {
		must(t, b.Authenticate(ctx, user, []byte(password)))
	}
	for user, password := range map[string]string{
		"ann": "bob-secret", "nopass": "", "guest": "Guest",
	} {
		if fault.KindOf(b.Authenticate(ctx, user, []byte(password))) != fault.Unauthenticated {
			t.Errorf("%s is let in with %q", user, password)
		}
	}
	must(t, b.Permit("ann", "orders", "queue", "orders.new", "write"))
	if b.Permit("ann", "orders", "queue", "amq.gen-1", "write") == nil {
		t.Error("ann may write to what begins with amq.")
	}
	ns, ok := b.Namespace("orders")
	if !ok {
		t.Fatal("no vhost orders")
	}
	q, ok := ns.Topology().Queue("orders.new")
	if l := q.Limits(); !ok || l.MaxLength.N != 500 || l.Expiry.N != 60000 || !l.Dead.Set {
		t.Errorf("%+v", l)
	}
	to, _ := ns.Topology().Route(nil, "orders", "order.eu.new")
	if len(to) != 2 || !slices.Contains(to, q) {
		t.Errorf("routed to %d queues", len(to))
	}
	sameDefinitions(t, text, exported(t, b, ""))
	again := newRabbit(t)
	must(t, again.Import(ctx, readDefinitions(t, exported(t, b, "")), ""))
	if x, y := exported(t, b, ""), exported(t, again, ""); !bytes.Equal(x, y) {
		t.Errorf("exported\n%s\nand, imported again,\n%s", x, y)
	}
	must(t, again.Import(ctx, readDefinitions(t, text), "")) // over what is there
	if x, y := exported(t, b, ""), exported(t, again, ""); !bytes.Equal(x, y) {
		t.Errorf("exported\n%s\nand, imported over it,\n%s", x, y)
	}
}

// defined are the members of what files define that must be the same.
func defined() map[string][]string {
	return map[string][]string{
		"users":             {"name", "password_hash", "hashing_algorithm", "tags", "limits"},
		"vhosts":            {"name"},
		"permissions":       {"user", "vhost", "configure", "write", "read"},
		"topic_permissions": {"user", "vhost", "exchange", "write", "read"},
		"parameters":        {"component", "vhost", "name", "value"},
		"global_parameters": {"name", "value"},
		"policies":          {"vhost", "name", "pattern", "apply-to", "definition", "priority"},
		"queues":            {"vhost", "name", "durable", "auto_delete", "arguments"},
		"exchanges": {"vhost", "name", "type", "durable", "auto_delete", "internal",
			"arguments"},
		"bindings": {"vhost", "source", "destination", "destination_type", "routing_key",
			"arguments"},
	}
}

// sameDefinitions compares what two files define, whatever else they say and in
// whatever order.
func sameDefinitions(t *testing.T, want, got []byte) {
	t.Helper()
	for key, names := range defined() {
		a, b := picked(t, want, key, names), picked(t, got, key, names)
		if !slices.Equal(a, b) {
			t.Errorf("%s:\n%s\nwant\n%s", key, strings.Join(b, "\n"), strings.Join(a, "\n"))
		}
	}
}

// picked gives the items of a list with some of their members, in order.
func picked(t *testing.T, text []byte, key string, names []string) (list []string) {
	t.Helper()
	var all map[string]json.RawMessage
	must(t, json.Unmarshal(text, &all))
	var items []map[string]any
	must(t, json.Unmarshal(all[key], &items))
	for _, item := range items {
		only := map[string]any{}
		for _, n := range names {
			only[n] = item[n]
		}
		b, err := json.Marshal(only)
		must(t, err)
		list = append(list, string(b))
	}
	slices.Sort(list)
	return list
}

// TestExportOfCoffer: an exported broker is another one when it is imported, its
// passwords included, which RabbitMQ cannot check and therefore lets nobody in by.
func TestExportOfCoffer(t *testing.T) {
	t.Parallel()
	b, ctx := newRabbit(t), t.Context()
	for _, u := range []rabbitmq.UserSpec{
		{Name: "own", Password: []byte("one"), Tags: []string{"administrator"}},
		{Name: "compatible", Password: []byte("two"),
			Algorithm: "rabbit_password_hashing_sha256"},
		{Name: "none"},
	} {
		_, err := b.PutUser(ctx, u)
		must(t, err)
	}
	text := exported(t, b, "")
	for _, u := range readDefinitions(t, text).Users {
		if (*u.PasswordHash != "") != (u.Name == "compatible") ||
			u.Algorithm != "rabbit_password_hashing_sha256" ||
			(u.Argon2id != "") != (u.Name == "own") {
			t.Errorf("%s: %q %q %q", u.Name, *u.PasswordHash, u.Algorithm, u.Argon2id)
		}
	}
	other := newRabbit(t)
	must(t, other.Import(ctx, readDefinitions(t, text), ""))
	must(t, other.Authenticate(ctx, "own", []byte("one")))
	must(t, other.Authenticate(ctx, "compatible", []byte("two")))
	if !bytes.Equal(text, exported(t, other, "")) {
		t.Errorf("imported, it is %s, not %s", exported(t, other, ""), text)
	}
}

// realManagement is a real RabbitMQ's management API, to which a test may do anything.
var realManagement = flag.String("rabbitmq-management", "",
	"URL of a RabbitMQ's management API, with user and password, to import into")

// TestRealImport: RabbitMQ takes what Coffer exports, and exports the same. It runs beside
// a RabbitMQ: see the command test/rabbitmq/with.
func TestRealImport(t *testing.T) {
	if *realManagement == "" {
		t.Skip("no -rabbitmq-management")
	}
	text, err := os.ReadFile(realExport)
	must(t, err)
	b, ctx := newRabbit(t), t.Context()
	must(t, b.Import(ctx, readDefinitions(t, text), ""))
	_, err = b.PutUser(ctx, rabbitmq.UserSpec{Name: "own", Password: []byte("one"),
		Tags: []string{"administrator"}})
	must(t, err)
	sent := exported(t, b, "")
	url := strings.TrimSuffix(*realManagement, "/") + "/api/definitions"
	resp, err := http.Post(url, "application/json", bytes.NewReader(sent))
	must(t, err)
	said, err := io.ReadAll(resp.Body)
	must(t, errors.Join(err, resp.Body.Close()))
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%s: %s", resp.Status, said)
	}
	resp, err = http.Get(url)
	must(t, err)
	back, err := io.ReadAll(resp.Body)
	must(t, errors.Join(err, resp.Body.Close()))
	for key, names := range defined() { // beside what it had
		there := picked(t, back, key, names)
		for _, item := range picked(t, sent, key, names) {
			if !slices.Contains(there, item) {
				t.Errorf("%s: %s is not there", key, item)
			}
		}
	}
}

// TestImportIntoVhost: the file of one virtual host goes into another, and nowhere else.
func TestImportIntoVhost(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(realExport)
	must(t, err)
	b, other, ctx := newRabbit(t), newRabbit(t), t.Context()
	must(t, b.Import(ctx, readDefinitions(t, text), ""))
	before := exported(t, other, "/")
	for _, name := range []string{"copy", "none"} {
		_, err := other.PutVhost(ctx, rabbitmq.Vhost{Name: name})
		must(t, err)
	}
	must(t, other.Import(ctx, readDefinitions(t, exported(t, b, "orders")), "copy"))
	want, got := exported(t, b, "orders"), exported(t, other, "copy")
	want = bytes.ReplaceAll(want, []byte(`"vhost": "orders"`), []byte(`"vhost": "copy"`))
	for _, key := range []string{"parameters", "policies", "queues", "exchanges", "bindings"} {
		var x, y map[string]any
		must(t, json.Unmarshal(want, &x))
		must(t, json.Unmarshal(got, &y))
		if !reflect.DeepEqual(x[key], y[key]) || len(x[key].([]any)) == 0 {
			t.Errorf("%s: %v, want %v", key, y[key], x[key])
		}
	}
	if !bytes.Equal(before, exported(t, other, "/")) || len(other.Users()) != 0 {
		t.Error("something went elsewhere")
	}
	err = other.Import(ctx, rabbitmq.Definitions{}, "gone")
	if fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}
