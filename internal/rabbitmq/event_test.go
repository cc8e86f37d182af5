package rabbitmq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// TestEvents: every change is told once, after it is durable, with who made it, and
// neither it nor the log shows a secret.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var told []string
	var log bytes.Buffer
	w.eng.events = Events{Changed: func(_ context.Context, _ uuid.UUID, c Change) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(c.What, " ", c.LogValue()))
	}}
	w.eng.log = slog.New(slog.NewTextHandler(&log, nil))
	_, b := opened(t, w)
	ctx := As(t.Context(), "boss")
	only := func(_ bool, err error) { must(t, err) }
	only(b.PutVhost(ctx, Vhost{Name: "v"}))
	only(b.PutUser(ctx, UserSpec{Name: "u", Password: []byte("secret-1"), Tags: []string{"t"}}))
	only(b.PutUser(ctx, UserSpec{Name: "w", Hash: "c2VjcmV0LTI="}))
	only(b.PutPermission(ctx, Permission{"u", "v", "c", "w", "r"}))
	only(b.PutParameter(ctx, Parameter{Component: "toy", Vhost: "v", Name: "n",
		Value: json.RawMessage(`"amqp://a:secret-3@b"`)}))
	only(b.PutGlobalParameter(ctx, "g", json.RawMessage(`"secret-4"`)))
	only(b.PutPolicy(ctx, Policy{Vhost: "v", Name: "p", Definition: object(`{"expires":1}`)}))
	if _, err := b.PutVhost(ctx, Vhost{}); err == nil {
		t.Error("a vhost without a name")
	}
	must(t, b.DeleteVhost(ctx, "v"))
	must(t, b.DeleteUser(ctx, "u"))
	want := []string{
		"vhost.put [by=boss vhost=v]", "user.put [by=boss user=u tags=t]",
		"user.put [by=boss user=w tags=]",
		"permission.put [by=boss vhost=v user=u configure=c read=r write=w]",
		"parameter.put [by=boss vhost=v component=toy name=n]",
		"global_parameter.put [by=boss name=g]",
		`policy.put [by=boss vhost=v name=p apply_to=all definition={"expires":1} pattern= ` +
			`priority=0]`,
		"vhost.delete [by=boss vhost=v]", "permission.delete [by=boss vhost=v user=u]",
		"policy.delete [by=boss vhost=v name=p]",
		"parameter.delete [by=boss vhost=v component=toy name=n]",
		"user.delete [by=boss user=u]",
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(log.String(), "by=boss"); n != len(want) {
		t.Errorf("%d lines in the log: %s", n, log.String())
	}
	if s := log.String() + strings.Join(told, ""); strings.Contains(s, "secret") ||
		strings.Contains(s, "c2VjcmV0") {
		t.Errorf("a secret is shown: %s", s)
	}
}
