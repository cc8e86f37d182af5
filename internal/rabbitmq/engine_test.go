package rabbitmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// world is an engine over a store in memory.
type world struct {
	disk *memory.Engine
	db   *control.DB
	eng  *Engine
	ring *keyring.Keyring
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, memory.New(memory.Config{Shards: 3}), true)
}

// newWorldOn starts on a store, which goes on to the end if it is sound.
func newWorldOn(t *testing.T, disk *memory.Engine, sound bool) *world {
	t.Helper()
	var shards []store.Shard
	for _, id := range disk.Shards() {
		s, err := disk.Open(t.Context(), id)
		must(t, err)
		shards = append(shards, s)
	}
	w := &world{disk: disk}
	var err error
	w.db, err = control.Open(t.Context(), shards[0], bytes.Repeat([]byte{7}, 32), control.Config{})
	must(t, err)
	core, err := broker.Open(t.Context(), broker.Config{Shards: shards[1:2], Control: w.db})
	must(t, err)
	w.ring = keyring.New(1, keyring.Config{})
	t.Cleanup(func() {
		w.ring.Close()
		if err := core.Close(context.Background()); err != nil && sound {
			t.Error(err)
		}
	})
	w.eng = New(core, w.db, Config{
		Dialect:    toyDialect{},
		Components: map[string]func(Parameter) error{"toy": func(Parameter) error { return nil }},
	})
	return w
}

func must(t *testing.T, err error) {
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

// domain gives an open domain of the broker.
func (w *world) domain(t *testing.T, id uuid.UUID) *keyring.Domain {
	t.Helper()
	d := w.ring.Add(seal.DomainID(id), "key-of-"+id.String(), nil, source{})
	must(t, w.ring.Open(t.Context(), d))
	return d
}

// create makes a broker whose users have these passwords, by name.
func (w *world) create(t *testing.T, passwords map[string]string) uuid.UUID {
	t.Helper()
	var users []User
	for name, p := range passwords {
		hash, err := w.eng.Hasher().Hash(t.Context(), []byte(p))
		must(t, err)
		users = append(users, User{Name: name, Hash: hash, Tags: []string{"administrator"}})
		if name == "other" {
			users[len(users)-1].Tags = append(users[len(users)-1].Tags, "impersonator")
		}
	}
	id := uuid.New()
	must(t, w.eng.Create(t.Context(), id, users))
	return id
}

// rows gives the rows of a broker.
func (w *world) rows(t *testing.T, id uuid.UUID) map[string]string {
	t.Helper()
	rows := map[string]string{}
	must(t, w.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableRabbit, id[:], func(row, value []byte) error {
			rows[string(row)] = string(value)
			return nil
		})
	}))
	return rows
}

// TestCreateOpenDelete takes a broker through its life.
func TestCreateOpenDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, map[string]string{"admin": "right", "other": "another"})
	kept := w.create(t, map[string]string{"admin": "elsewhere"})
	b, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	for _, c := range []struct {
		user, password string
		ok             bool
	}{
		{"admin", "right", true}, {"other", "another", true}, {"admin", "another", false},
		{"admin", "elsewhere", false}, {"admin", "", false}, {"", "", false},
		{"nobody", "right", false}, {"ADMIN", "right", false}, {"admin\x00", "right", false},
		{"admin", strings.Repeat("right", 1000), false},
	} {
		err := b.Authenticate(t.Context(), c.user, []byte(c.password))
		if (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%q with %.10q: %v", c.user, c.password, err)
		}
	}
	if _, err := b.Open(t.Context(), "admin", "/"); err != nil {
		t.Error(err)
	}
	if !b.Impersonates("other") || b.Impersonates("admin") || b.Impersonates("nobody") {
		t.Error("the tag impersonator")
	}
	_, err = b.Open(t.Context(), "admin", "/none")
	refused(t, err, fault.NotFound, "vhost /none not found")
	_, err = b.Open(t.Context(), "nobody", "/")
	refused(t, err, fault.Denied, "access to vhost '/' refused for user 'nobody'")

	must(t, w.eng.Delete(t.Context(), id))
	if n := len(w.rows(t, id)); n != 0 || len(w.rows(t, kept)) != 4 {
		t.Errorf("%d rows are left, %d of the other", n, len(w.rows(t, kept)))
	}
	_, err = w.eng.Open(t.Context(), id, w.domain(t, id))
	refused(t, err, fault.NotFound, "no such broker")
	if _, err := w.eng.Open(t.Context(), kept, w.domain(t, kept)); err != nil {
		t.Error(err)
	}
}

func refused(t *testing.T, err error, kind fault.Kind, text string) {
	t.Helper()
	if fault.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("%v, want %s: %s", err, kind, text)
	}
}

// TestDecoy: an unknown user costs a hash as a known one does, and what is
// verified for it is never taken.
func TestDecoy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, map[string]string{"admin": "right"})
	b, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	must(t, b.Authenticate(t.Context(), "admin", []byte("right")))
	for range maxHashing { // every place is taken: who hashes, waits
		w.eng.hasher.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, user := range []string{"nobody", "admin"} {
		err := b.Authenticate(ctx, user, []byte("wrong"))
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s did not hash: %v", user, err)
		}
	}
	// As if someone had guessed the decoy's password.
	w.eng.hasher.seen[w.eng.hasher.mark(w.eng.decoy, []byte("guess"))] = struct{}{}
	err = b.Authenticate(t.Context(), "nobody", []byte("guess"))
	refused(t, err, fault.Unauthenticated, "invalid credentials")
}

// TestPermit reads RabbitMQ's patterns: not anchored, an empty one matches the
// empty name only, and what is not given is refused.
func TestPermit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, map[string]string{"admin": "right"})
	p := permissionRow{"guest", "/", "^mine-.*$", "a", ""}
	must(t, w.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		return errors.Join(put(tx, w.eng.row(id, rowPermission, "guest", "/"), p),
			put(tx, w.eng.row(id, rowUser, "guest"), userRow{Name: "guest"}))
	}))
	b, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	for _, c := range []struct {
		user, vhost, name, action string
		ok                        bool
	}{
		{"admin", "/", "anything", Configure, true}, {"admin", "/", "", Read, true},
		{"admin", "/other", "anything", Read, false}, {"admin", "/", "x", "delete", false},
		{"nobody", "/", "x", Read, false},
		{"guest", "/", "mine-1", Configure, true}, {"guest", "/", "not-mine-1", Configure, false},
		{"guest", "/", "bar", Write, true}, {"guest", "/", "bor", Write, false},
		{"guest", "/", "bar", Read, false}, {"guest", "/", "", Read, true},
	} {
		err := b.Permit(c.user, c.vhost, "queue", c.name, c.action)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil {
			refused(t, err, fault.Denied, fmt.Sprintf(
				"%s access to queue '%s' in vhost '%s' refused for user '%s'",
				c.action, c.name, c.vhost, c.user))
		}
	}
	// A user without a password cannot sign in.
	err = b.Authenticate(t.Context(), "guest", nil)
	refused(t, err, fault.Unauthenticated, "invalid credentials")
}

// TestDamagedRows: a row that cannot be read is an error that names the broker
// and the kind of row, never a broker without it.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		kind  byte
		value string
		text  string
	}{
		"vhost": {rowVhost, "{", "vhost"},
		"gone": {rowVhost, `{"name":"/x","namespace":"` + uuid.NewString() + `"}`,
			`vhost "/x"`},
		"user":       {rowUser, "[]", "user"},
		"permission": {rowPermission, "x", "permission"},
		"pattern":    {rowPermission, `{"user":"u","vhost":"/","read":"("}`, `permission of "u"`},
		"kind":       {'z', "{}", "unknown kind"},
	} {
		t.Run(name, func(t *testing.T) {
			id := w.create(t, nil)
			must(t, w.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
				tx.Put(control.TableRabbit, w.eng.row(id, c.kind, "damaged"), []byte(c.value))
				return nil
			}))
			_, err := w.eng.Open(t.Context(), id, w.domain(t, id))
			if err == nil || !strings.Contains(err.Error(), c.text) ||
				!strings.Contains(err.Error(), id.String()) {
				t.Errorf("%v lacks %q", err, c.text)
			}
		})
	}
}

// TestRolledBack: a broker whose creation is taken back leaves nothing.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, taken := uuid.New(), errors.New("taken back")
	err := w.db.Update(t.Context(), func(ctx context.Context, _ *control.Tx) error {
		return errors.Join(w.eng.Create(ctx, id, []User{{Name: "u", Hash: "h"}}), taken)
	})
	if !errors.Is(err, taken) || len(w.rows(t, id)) != 0 {
		t.Errorf("%v, %d rows", err, len(w.rows(t, id)))
	}
}

// TestWatch tells of locks until it is stopped.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, map[string]string{"admin": "right"})
	d := w.domain(t, id)
	b, err := w.eng.Open(t.Context(), id, d)
	must(t, err)
	told := make(chan struct{}, 8)
	stop := b.Watch(func() { told <- struct{}{} })
	lift := w.ring.Fence(d.Key(), fault.New(fault.KeyUnavailable, "gone"))
	<-told
	stop()
	stop()
	lift()
	must(t, d.Refresh(t.Context()))
	for len(told) > 0 { // the lift may have been told before stop
		<-told
	}
	w.ring.Fence(d.Key(), fault.New(fault.KeyUnavailable, "gone"))()
	if len(told) != 0 {
		t.Error("told after stop")
	}
}
