package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/kms"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/seal"
)

// broker opens a domain as a broker does: in the name of its grant.
type broker struct {
	open func(context.Context) (seal.Secret, error)
}

func (s broker) OpenDomain(ctx context.Context, _ seal.DomainID) (seal.Secret, error) {
	return s.open(ctx)
}

// TestRevocation runs the service under the real keyring: whatever takes the
// key or the grant away locks the domain before the answer, with a reason that
// clients understand, and what gives it back opens the domain.
func TestRevocation(t *testing.T) {
	t.Parallel()
	ring := keyring.New(1, keyring.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(ring.Close)
	w := newWorldWith(t, ring)
	name := w.key("root", object{})
	var g struct{ GrantId string }
	grant := object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com",
		"Operations": []string{"Decrypt", "GenerateDataKeyWithoutPlaintext"},
	}
	w.must("root", "CreateGrant", grant, &g)
	made, err := w.client(g.GrantId).GenerateDataKeyWithoutPlaintext(t.Context(),
		&api.GenerateDataKeyWithoutPlaintextInput{KeyId: name, KeySpec: "AES_256"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context) (seal.Secret, error) {
		out, err := w.client(g.GrantId).Decrypt(ctx,
			&api.DecryptInput{CiphertextBlob: made.CiphertextBlob})
		if err != nil {
			return nil, err
		}
		return out.Plaintext, nil
	}
	holder := seal.DomainID{1}
	d := ring.Add(holder, name, []string{g.GrantId}, broker{open})
	changed := make(chan struct{}, 16)
	d.Watch(func() { changed <- struct{}{} })
	until := func(open bool) {
		t.Helper()
		for (d.Locked() == nil) != open {
			select {
			case <-changed:
			case <-t.Context().Done():
				t.Fatal(d.Locked())
			}
		}
	}
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must("root", "DisableKey", object{"KeyId": name}, nil)
	why := d.Locked()
	if fault.KindOf(why) != fault.KeyUnavailable || why.Error() != name+" is disabled." {
		t.Errorf("locked by %v", why)
	}
	if err := d.Refresh(t.Context()); err == nil || err.Error() != name+" is disabled." {
		t.Errorf("refreshed while disabled: %v", err)
	}
	w.fenceTold("DisableKey", name, holder)
	w.must("root", "EnableKey", object{"KeyId": name}, nil)
	until(true)
	if w.fenceOf("EnableKey") != nil {
		t.Error("enabling a key fenced")
	}
	w.must("root", "PutKeyPolicy", object{"KeyId": name, "Policy": defaultPolicy(home)}, nil)
	until(true)
	w.must("root", "RevokeGrant", object{"KeyId": name, "GrantId": g.GrantId}, nil)
	if d.Locked() == nil {
		t.Error("open without its grant")
	}
	if kind := fault.KindOf(d.Refresh(t.Context())); kind != fault.KeyUnavailable {
		t.Errorf("refreshed without its grant: %v", kind)
	}
}

// fenceOf gives what the newest event of an operation says of its fence.
func (w *world) fenceOf(op string) map[string]any {
	w.t.Helper()
	events, _, err := w.log.Lookup(w.t.Context(), audit.Query{
		Account: home, Region: here, Attribute: "EventName", Value: op, Limit: 1,
	})
	if err != nil || len(events) != 1 {
		w.t.Fatal(len(events), err)
	}
	f, _ := events[0].AdditionalEventData["fence"].(map[string]any)
	return f
}

// fenceTold requires that the newest event of an operation names the key, its
// holder and the time.
func (w *world) fenceTold(op, name string, holder seal.DomainID) {
	w.t.Helper()
	f := w.fenceOf(op)
	began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(f["began"]))
	if err != nil || began.IsZero() || f["key"] != name || fmt.Sprint(f["holderCount"]) != "1" ||
		!slices.Equal(f["holders"].([]any), []any{uuid.UUID(holder).String()}) {
		w.t.Errorf("the event of %s says of the fence: %v, %v", op, f, err)
	}
}

// TestEvents: GRT-10: the event of CreateGrant has the ids and no token; no
// event has a plaintext.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var g struct{ GrantId, GrantToken string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Operations": []string{"Decrypt"},
	}, &g)
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": []byte("a plaintext")}, nil)
	events, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: here})
	if err != nil || len(events) != 3 {
		t.Fatal(len(events), err)
	}
	text, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{g.GrantToken, "YSBwbGFpbnRleHQ", "a plaintext"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the events show %s", secret)
		}
	}
	for _, e := range events {
		if len(e.Resources) != 1 || e.Resources[0].ARN != name || e.Resources[0].Type != keyType {
			t.Errorf("%s: resources %v", e.EventName, e.Resources)
		}
		if e.EventName != "CreateGrant" {
			continue
		}
		if len(e.ResponseElements) != 2 || e.ResponseElements["grantId"] != g.GrantId ||
			e.ResponseElements["keyId"] != name {
			t.Errorf("response elements %v", e.ResponseElements)
		}
	}
}
