package mq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cofferapi "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/service/kms"
)

// rekeyer is so much of the Coffer API as brings a caller to Rekey.
type rekeyer struct {
	cofferapi.Unimplemented
	svc  *Service
	keys *kms.Service
}

func (r rekeyer) RekeyBroker(ctx context.Context, in *cofferapi.RekeyBrokerInput) (
	*cofferapi.RekeyBrokerOutput, error,
) {
	name, err := r.svc.Rekey(ctx, in.BrokerId, in.UseAwsOwnedKey, in.KmsKeyId)
	if fault.KindOf(err) == fault.KeyUnavailable { // shown as it is, without its causes
		err = &cofferapi.KeyUnavailableException{Message: clientText(err)}
	}
	return &cofferapi.RekeyBrokerOutput{KmsKeyId: name}, err
}

func (r rekeyer) SuspendGrant(ctx context.Context, in *cofferapi.SuspendGrantInput) (
	*cofferapi.SuspendGrantOutput, error,
) {
	return &cofferapi.SuspendGrantOutput{}, r.keys.SuspendGrant(ctx, in.KeyId, in.GrantId)
}

// rekey asks for another key: "" is alias/aws/mq, "owned" one that AWS owns.
func (w *world) rekey(who, id, key string) (int, object) {
	w.t.Helper()
	in := object{"BrokerId": id, "UseAwsOwnedKey": key == "owned"}
	if key != "owned" && key != "" {
		in["KmsKeyId"] = key
	}
	return w.do(who, "POST", "/", in, "coffer", cofferapi.API.TargetPrefix+".RekeyBroker")
}

// secret gives the broker key by the broker's row.
func (w *world) secret(id string) string {
	w.t.Helper()
	b, err := w.svc.find(w.t.Context(), home, here, id)
	must(w.t, err)
	key, err := w.svc.unwrap(w.t.Context(), b)
	must(w.t, err)
	return string(key)
}

// TestRekey: from every choice of a key to every other one, and to the same: the secret
// stays, the broker never lost it, the new key has all grants and the old one none (D-07).
func TestRekey(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{single, cluster} {
		for _, from := range []string{"key", "", "owned"} {
			for _, to := range []string{"key", "same", "", "owned"} {
				t.Run(mode+"/"+from+" to "+to, func(t *testing.T) {
					t.Parallel()
					rekeyed(t, mode, from, to)
				})
			}
		}
	}
}

func rekeyed(t *testing.T, mode, from, to string) {
	w := newWorld(t)
	options := object{"useAwsOwnedKey": from == "owned"}
	if from == "key" {
		options["kmsKeyId"] = w.key("ROOT", nil)
	}
	status, out := w.mq("ROOT", "POST", "", request(object{
		"deploymentMode": mode, "encryptionOptions": options}))
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.engine.work.Wait()
	id := out["brokerId"].(string)
	old, err := w.svc.find(t.Context(), home, here, id)
	must(t, err)
	secret, fences := w.secret(id), w.fences(id)
	switch to {
	case "key":
		to = w.key("ROOT", nil)
	case "same":
		to = from
		if from == "key" {
			to = old.Key
		}
	}
	if status, out := w.rekey("ROOT", id, to); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	now, err := w.svc.find(t.Context(), home, here, id)
	must(t, err)
	if w.secret(id) != secret || w.fences(id) != fences || w.state(id) != "RUNNING" {
		t.Errorf("the secret is the same: %v, fences: %d, %s", w.secret(id) == secret,
			w.fences(id)-fences, w.state(id))
	}
	if len(now.Volumes) != len(old.Volumes) || now.Volumes[0].ID != old.Volumes[0].ID ||
		string(now.Volumes[0].DataKey) == string(old.Volumes[0].DataKey) {
		t.Error("the volumes are not the same, or their data keys are")
	}
	w.live(t, now.Key, now.grantIDs(), old.grantIDs(), mode)
	if n, want := len(w.events("RetireGrant")), len(old.grantIDs()); n != want {
		t.Errorf("%d grants were retired, want %d", n, want)
	}
	shown := w.describe(id)["encryptionOptions"].(object)
	if shown["useAwsOwnedKey"] != (to == "owned") || (shown["kmsKeyId"] == nil) != (to == "owned") {
		t.Errorf("%v", shown)
	}
	if strings.HasPrefix(to, "arn:") { // the new key rules now, and the old one no more
		w.kms("ROOT", "DisableKey", object{"KeyId": to})
		w.critical(id, to+" is disabled")
		w.kms("ROOT", "EnableKey", object{"KeyId": to})
		w.settled(id, "RUNNING")
	}
	if strings.Contains(old.Key, home) && from == "key" && old.Key != now.Key {
		w.kms("ROOT", "ScheduleKeyDeletion", object{"KeyId": old.Key, "PendingWindowInDays": 7})
		w.settled(id, "RUNNING")
	}
}

// live requires that a key has the new grants, in Amazon MQ's number, and none of the old.
func (w *world) live(t *testing.T, key string, now, old []string, mode string) {
	t.Helper()
	if !strings.Contains(key, home) {
		if len(now) != 0 {
			t.Errorf("grants under a key that AWS owns: %v", now)
		}
		return
	}
	left := w.grants(key)
	want := map[string]int{single: 2, cluster: 5}[mode]
	if len(now) != want || len(left) != want {
		t.Errorf("%d grants of the broker, %d of its key, want %d", len(now), len(left), want)
	}
	for _, g := range now {
		if left[g] == nil {
			t.Errorf("grant %s is not there", g)
		}
	}
	for _, g := range old {
		if left[g] != nil {
			t.Errorf("grant %s is left", g)
		}
	}
}

// TestRekeyRefused: what cannot be leaves everything as it was, and says what to do.
func TestRekeyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, other := w.key("ROOT", nil), w.key("ROOT", nil)
	id := w.create("orders", key)
	before := fmt.Sprint(w.grants(key))
	check := func(name, who, to string, want int, text string) {
		t.Helper()
		status, out := w.rekey(who, id, to)
		if status != want || !strings.Contains(fmt.Sprint(out), text) {
			t.Errorf("%s: %d %v, want %q", name, status, out, text)
		}
		if got := fmt.Sprint(w.grants(key)); got != before {
			t.Errorf("%s: grants %s", name, got)
		}
	}
	disabled := w.key("ROOT", nil)
	w.kms("ROOT", "DisableKey", object{"KeyId": disabled})
	check("to a disabled key", "ROOT", disabled, 400, "is not enabled")
	check("to no key", "ROOT", "alias/none", 400, "does not exist")
	check("to a key for signing", "ROOT", w.key("ROOT", object{
		"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}), 400, "symmetric")
	check("another account's broker", "OTHER", other, 400, "Can't find requested broker")
	w.settled(id, "RUNNING")
	w.kms("ROOT", "DisableKey", object{"KeyId": key})
	check("from a disabled key", "ROOT", other, 400, key+" is disabled")
	w.kms("ROOT", "ScheduleKeyDeletion", object{"KeyId": key, "PendingWindowInDays": 7})
	check("from a key pending deletion", "ROOT", other, 400, "can be canceled")
	w.kms("ROOT", "CancelKeyDeletion", object{"KeyId": key})
	check("before it is enabled", "ROOT", other, 400, "is disabled")
	if n := len(w.grants(other)); n != 0 {
		t.Errorf("%d grants on the other key", n)
	}
	w.kms("ROOT", "EnableKey", object{"KeyId": key})
	if status, out := w.rekey("ROOT", id, other); status != 200 {
		t.Errorf("%d %v", status, out)
	}
	w.settled(id, "RUNNING")
}

// TestRekeyAfterRevocation: a broker that lost a grant for good comes back under another
// key if its caller may decrypt with the old one (D-06), and only then.
func TestRekeyAfterRevocation(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world, id, key string) {
		secret := w.secret(id)
		for _, g := range w.grants(key) {
			w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": g["GrantId"]})
		}
		w.settled(id, "CRITICAL_ACTION_REQUIRED")
		put := func(deny string) {
			policy, err := json.Marshal(object{"Version": "2012-10-17", "Statement": []any{
				object{"Effect": "Allow", "Principal": object{"AWS": home}, "Action": "kms:*",
					"Resource": "*"},
				object{"Effect": "Deny", "Principal": "*", "Action": deny, "Resource": "*"}}})
			must(t, err)
			w.kms("ROOT", "PutKeyPolicy", object{"KeyId": key, "Policy": string(policy)})
		}
		put("kms:Decrypt")
		if status, out := w.rekey("ROOT", id, "owned"); status != 400 ||
			!strings.Contains(fmt.Sprint(out), "kms:Decrypt") {
			t.Errorf("without the permission: %d %v", status, out)
		}
		w.settled(id, "CRITICAL_ACTION_REQUIRED")
		put("kms:Sign")
		if status, out := w.rekey("ROOT", id, "owned"); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		w.settled(id, "RUNNING")
		if w.secret(id) != secret {
			t.Error("the secret is another one")
		}
	})
}

// TestRekeyFails: when it fails late, the broker rests on its old key as before.
func TestRekeyFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, other := w.key("ROOT", nil), w.key("ROOT", nil)
	id := w.create("orders", key)
	w.engine.fail = "RetireGrant"
	if status, out := w.rekey("ROOT", id, other); status != 500 {
		t.Fatalf("%d %v", status, out)
	}
	if len(w.grants(key)) != 2 || len(w.grants(other)) != 0 {
		t.Error("grants changed")
	}
	w.settled(id, "RUNNING")
	w.kms("ROOT", "DisableKey", object{"KeyId": other})
	w.settled(id, "RUNNING")
	w.kms("ROOT", "DisableKey", object{"KeyId": key})
	w.critical(id, key+" is disabled")
	w.kms("ROOT", "EnableKey", object{"KeyId": key})
	w.settled(id, "RUNNING")
}

// TestRekeyUnderFences: keys that change while a broker leaves one for the other leave it
// locked or open as the key it rests on in the end is.
func TestRekeyUnderFences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := []string{w.key("ROOT", nil), w.key("ROOT", nil)}
	id := w.create("orders", keys[0])
	for round := range 20 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 4 {
				w.ring.Fence(keys[(round+i)%2], errors.New("test"))()
			}
		}()
		if status, out := w.rekey("ROOT", id, keys[(round+1)%2]); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		<-done
	}
	d := w.engine.domain(t, id)
	changed := make(chan struct{}, 1)
	d.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	for d.Locked() != nil {
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal(d.Locked())
		}
	}
	if _, err := d.Seal(nil, seal.Header{}, []byte("x")); err != nil {
		t.Error(err)
	}
}

// TestSuspended: a broker whose grants are suspended can leave its key, and be deleted.
func TestSuspended(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world, id, key string) {
		for _, leave := range []func(){
			func() {
				if status, out := w.rekey("ROOT", id, ""); status != 200 {
					t.Errorf("rekey: %d %v", status, out)
				}
				w.settled(id, "RUNNING")
			},
			func() {
				if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
					t.Errorf("delete: %d %v", status, out)
				}
			},
		} {
			key := w.describe(id)["encryptionOptions"].(object)["kmsKeyId"].(string)
			for g := range w.grants(key) {
				status, out := w.do("ROOT", "POST", "/", object{"KeyId": key, "GrantId": g},
					"coffer", cofferapi.API.TargetPrefix+".SuspendGrant")
				if status != 200 {
					t.Fatalf("suspend: %d %v", status, out)
				}
			}
			w.settled(id, "CRITICAL_ACTION_REQUIRED")
			leave()
			if left := w.grants(key); len(left) != 0 {
				t.Errorf("%d grants are left", len(left))
			}
		}
	})
}
