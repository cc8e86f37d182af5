package rabbitmq

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/fault"
)

// opened gives a broker with the user admin, whose password is right.
func opened(t *testing.T, w *world) (uuid.UUID, *Broker) {
	t.Helper()
	id := w.create(t, map[string]string{"admin": "right"})
	b, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	return id, b
}

// shown is all that a broker says of itself.
func shown(b *Broker) any {
	limits := map[string]any{}
	for _, v := range b.Vhosts() {
		limits[v.Name] = b.VhostLimits(v.Name)
	}
	return []any{
		b.Vhosts(), b.Users(), b.Permissions(), b.TopicPermissions(), b.Policies(false),
		b.Policies(true), b.Parameters(), b.GlobalParameters(), limits,
	}
}

// made says that a put made something new.
func made(t *testing.T, want bool) func(bool, error) {
	return func(created bool, err error) {
		t.Helper()
		must(t, err)
		if created != want {
			t.Errorf("created is %v", created)
		}
	}
}

// fillBroker puts one of everything, twice.
func fillBroker(t *testing.T, b *Broker) {
	t.Helper()
	ctx := t.Context()
	for _, created := range []bool{true, false} {
		is := made(t, created)
		is(b.PutVhost(ctx, Vhost{Name: "/a", Description: "first", Tags: []string{"x"},
			DefaultQueueType: "quorum"}))
		is(b.PutUser(ctx, UserSpec{Name: "u", Password: []byte("pass"),
			Tags: []string{"monitoring"}}))
		is(b.PutUser(ctx, UserSpec{Name: "w", Password: []byte("pass"), Algorithm: hashSHA512}))
		is(b.PutPermission(ctx, Permission{"u", "/a", "c.*", "w.*", "r.*"}))
		is(b.PutTopicPermission(ctx, TopicPermission{"u", "/a", "amq.topic", "^a", "^b"}))
		for _, operator := range []bool{true, false} {
			is(b.PutPolicy(ctx, Policy{Vhost: "/a", Name: "p", Pattern: "^q", Priority: 3,
				Definition: map[string]any{"max-length": 10.0}, Operator: operator}))
		}
		is(b.PutParameter(ctx, Parameter{"toy", "/a", "n", json.RawMessage(`{"a":1}`), "u"}))
		is(b.PutGlobalParameter(ctx, "cluster_name", json.RawMessage(`"here"`)))
		must(t, b.SetVhostLimit(ctx, "/a", MaxQueues, 7))
		must(t, b.SetUserLimit(ctx, "u", MaxConnections, 8))
	}
}

// TestChangesStay: what was put is shown at once, and after the next start.
func TestChangesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, b := opened(t, w)
	fillBroker(t, b)
	must(t, b.Authenticate(t.Context(), "u", []byte("pass")))
	must(t, b.Authenticate(t.Context(), "w", []byte("pass")))
	for _, wrong := range []string{"", "Pass", "passx"} {
		for _, user := range []string{"u", "w"} {
			err := b.Authenticate(t.Context(), user, []byte(wrong))
			refused(t, err, fault.Unauthenticated, "invalid credentials")
		}
	}
	if _, err := b.Open(t.Context(), "u", "/a"); err != nil {
		t.Error(err)
	}
	must(t, b.Permit("u", "/a", "queue", "cat", Configure))
	again, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	if a, b := shown(b), shown(again); !reflect.DeepEqual(a, b) {
		t.Errorf("before\n%+v\nafter\n%+v", a, b)
	}
	_, err = b.PutVhost(t.Context(), Vhost{Name: "late"})
	refused(t, err, fault.Unavailable, "moved")
}

// TestDeleteTakesAlong: with a virtual host or a user goes what is about it.
func TestDeleteTakesAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, b := opened(t, w)
	ctx, before := t.Context(), shown(b)
	fillBroker(t, b)
	must(t, b.DeleteVhost(ctx, "/a"))
	for _, list := range []int{len(b.TopicPermissions()), len(b.Policies(true)),
		len(b.Policies(false)), len(b.Parameters())} {
		if list != 0 {
			t.Errorf("left: %+v", shown(b))
		}
	}
	if _, ok := b.Namespace("/a"); ok {
		t.Error("the namespace is still there")
	}
	fillSecond := Permission{"u", "/", "", "", ""}
	made(t, true)(b.PutPermission(ctx, fillSecond))
	must(t, b.DeleteUser(ctx, "u"))
	must(t, b.DeleteUser(ctx, "w"))
	must(t, b.DeleteGlobalParameter(ctx, "cluster_name"))
	if !reflect.DeepEqual(shown(b), before) {
		t.Errorf("before\n%+v\nafter\n%+v", before, shown(b))
	}
	if n := len(w.rows(t, id)); n != 4 {
		t.Errorf("%d rows are left", n)
	}
}

// TestChangeRefused: what is about nothing is refused and changes nothing.
func TestChangeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, b := opened(t, w)
	ctx, before, rows := t.Context(), shown(b), w.rows(t, id)
	second := func(_ bool, err error) error { return err }
	permit := func(user, vhost, pattern string) error {
		return second(b.PutPermission(ctx, Permission{user, vhost, pattern, "", ""}))
	}
	topic := func(user, vhost, pattern string) error {
		return second(b.PutTopicPermission(ctx, TopicPermission{user, vhost, "x", pattern, ""}))
	}
	policy := func(vhost, pattern string) error {
		return second(b.PutPolicy(ctx, Policy{Vhost: vhost, Name: "p", Pattern: pattern,
			Definition: map[string]any{"max-length": 1.0}}))
	}
	typed := Vhost{Name: "x", DefaultQueueType: "y"}
	for what, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"vhost name":  {second(b.PutVhost(ctx, Vhost{})), fault.Invalid},
		"vhost UTF-8": {second(b.PutVhost(ctx, Vhost{Name: "\xff"})), fault.Invalid},
		"vhost text": {second(b.PutVhost(ctx, Vhost{Name: "x", Description: "\xff"})),
			fault.Invalid},
		"user UTF-8": {second(b.PutUser(ctx, UserSpec{Name: "a\xff"})), fault.Invalid},
		"user tag": {second(b.PutUser(ctx, UserSpec{Name: "x", Tags: []string{"\xff"}})),
			fault.Invalid},
		"user length": {second(b.PutUser(ctx, UserSpec{Name: strings.Repeat("x", 256)})),
			fault.Invalid},
		"pattern UTF-8": {permit("admin", "/", "\xff"), fault.Invalid},
		"long value": {second(b.PutGlobalParameter(ctx, "n",
			[]byte(`"`+strings.Repeat("x", maxValue)+`"`))), fault.Invalid},
		"vhost type":    {second(b.PutVhost(ctx, typed)), fault.Invalid},
		"vhost gone":    {b.DeleteVhost(ctx, "x"), fault.NotFound},
		"user name":     {second(b.PutUser(ctx, UserSpec{})), fault.Invalid},
		"user hash":     {second(b.PutUser(ctx, UserSpec{Name: "x", Hash: "%"})), fault.Invalid},
		"user gone":     {b.DeleteUser(ctx, "x"), fault.NotFound},
		"no user":       {permit("x", "/", ""), fault.NotFound},
		"no vhost":      {permit("admin", "x", ""), fault.NotFound},
		"pattern":       {permit("admin", "/", "("), fault.Invalid},
		"no permission": {b.DeletePermission(ctx, "x", "/"), fault.NotFound},
		"no topic":      {b.DeleteTopicPermission(ctx, "admin", "/", ""), fault.NotFound},
		"topic pattern": {topic("admin", "/", "("), fault.Invalid},
		"topic user":    {topic("x", "/", ""), fault.NotFound},
		"policy vhost":  {policy("x", ""), fault.NotFound},
		"policy regexp": {policy("/", "("), fault.Invalid},
		"policy gone":   {b.DeletePolicy(ctx, false, "/", "x"), fault.NotFound},
		"component": {second(b.PutParameter(ctx, Parameter{Component: "x", Vhost: "/", Name: "n"})),
			fault.Invalid},
		"value":      {second(b.PutGlobalParameter(ctx, "n", []byte("{"))), fault.Invalid},
		"limit":      {b.SetVhostLimit(ctx, "/", "x", 1), fault.Invalid},
		"limit user": {b.SetUserLimit(ctx, "x", MaxConnections, 1), fault.NotFound},
	} {
		if c.err == nil || fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v is not %v", what, c.err, c.kind)
		}
	}
	if !reflect.DeepEqual(shown(b), before) || !reflect.DeepEqual(w.rows(t, id), rows) {
		t.Errorf("changed: %+v", shown(b))
	}
}

// TestChangeTogether: many change a broker at once, and none loses another's change.
func TestChangeTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	const n = 16
	done := make(chan error, n)
	ctx := context.WithoutCancel(t.Context())
	for i := range n {
		go func() {
			_, err := b.PutVhost(ctx, Vhost{Name: string(rune('a' + i))})
			done <- err
		}()
	}
	for range n {
		must(t, <-done)
	}
	if len(b.Vhosts()) != n+1 {
		t.Errorf("%d vhosts", len(b.Vhosts()))
	}
}
