package mq

import (
	"fmt"
	"strings"
	"testing"
	"time"

	kmsapi "coffer/internal/aws/api/kms"
)

// deployments makes a broker of each kind under a key of its own, in a world of its own.
func deployments(t *testing.T, fn func(t *testing.T, w *world, id, key string)) {
	t.Helper()
	for _, mode := range []string{"SINGLE_INSTANCE", cluster} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key := w.key("ROOT", nil)
			make := w.create
			if mode == cluster {
				make = w.newCluster
			}
			fn(t, w, make("orders", key), key)
		})
	}
}

// critical requires the state of a broker that lost its key, for this reason.
func (w *world) critical(id, why string) {
	w.t.Helper()
	w.settled(id, "CRITICAL_ACTION_REQUIRED")
	actions, _ := w.describe(id)["actionsRequired"].([]any)
	if len(actions) != 1 {
		w.t.Fatalf("actions required: %v", actions)
	}
	a := actions[0].(object)
	if a["actionRequiredCode"] != "RABBITMQ_INVALID_KMS_KEY" ||
		!strings.Contains(fmt.Sprint(a["actionRequiredInfo"]), why) {
		w.t.Errorf("%v, want %q", a, why)
	}
	if status, out := w.mq("ROOT", "POST", "/"+id+"/reboot", nil); status != 400 ||
		!strings.Contains(fmt.Sprint(out["message"]), why) {
		w.t.Errorf("reboot: %d %v", status, out)
	}
}

// TestMaterialGone: when the material of a key is destroyed for good, which the end of its
// waiting period does, the broker is lost for good, before and after the sweep, and can
// still be deleted (MQ-10, KMS-17). Material that was imported cannot expire here: there
// is none.
func TestMaterialGone(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world, id, key string) {
		const days = 7
		w.kms("ROOT", "ScheduleKeyDeletion",
			object{"KeyId": key, "PendingWindowInDays": days})
		w.critical(id, key+" is pending deletion.")
		w.tick(days * 24 * time.Hour)
		w.ring.Recheck(key)
		w.critical(id, "does not exist")
		must(t, w.keys.Sweep(t.Context()))
		w.critical(id, "does not exist")
		for op, want := range map[string]string{"CancelKeyDeletion": "NotFoundException",
			"EnableKey": "NotFoundException"} {
			status, out := w.do("ROOT", "POST", "/", object{"KeyId": key}, "kms",
				kmsapi.API.TargetPrefix+"."+op)
			if status != 400 || !strings.Contains(fmt.Sprint(out), want) {
				t.Errorf("%s: %d %v", op, status, out)
			}
		}
		w.critical(id, "does not exist")
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
			t.Errorf("delete: %d %v", status, out)
		}
	})
}

// TestRetiredByItself: a grant that Amazon MQ itself retires is as lost as one revoked
// (GRT-07, GRT-24): no other principal of a service may.
func TestRetiredByItself(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world, id, key string) {
		b, err := w.svc.find(t.Context(), home, here, id)
		must(t, err)
		for _, g := range append(b.Grants, grant{"the grant of " + b.Volumes[0].ID,
			b.Volumes[0].Grant}) {
			who := b.as("sqs.amazonaws.com")
			_, err := w.As(who).RetireGrant(t.Context(),
				&kmsapi.RetireGrantInput{KeyId: key, GrantId: g.ID})
			if err == nil {
				t.Errorf("%s retires %s", who.Principal, g.Name)
			}
		}
		w.settled(id, "RUNNING")
		must(t, w.svc.retire(t.Context(), b, Principal, b.Grants[0].ID))
		w.critical(id, b.Grants[0].Name+" was revoked or retired")
		w.kms("ROOT", "DisableKey", object{"KeyId": key})
		w.kms("ROOT", "EnableKey", object{"KeyId": key})
		w.critical(id, b.Grants[0].Name+" was revoked or retired")
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
			t.Errorf("delete: %d %v", status, out)
		}
		if left := w.grants(key); len(left) != 0 {
			t.Errorf("%d grants are left", len(left))
		}
	})
}

// TestDeletedIsUnreadable: what a deleted broker's volumes were sealed under is gone: no
// row holds a data key or the broker key, so its data are unreadable at once.
func TestDeletedIsUnreadable(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world, id, key string) {
		b, err := w.svc.find(t.Context(), home, here, id)
		must(t, err)
		_, err = w.svc.unwrap(t.Context(), b)
		must(t, err)
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
			t.Errorf("delete: %d %v", status, out)
		}
		if again, err := w.svc.read(t.Context(), b.ID); again != nil || err != nil {
			t.Errorf("the row is left: %v, %v", again, err)
		}
		// Not even with the row as it was: the grants that open the data keys are gone.
		if brokerKey, err := w.svc.unwrap(t.Context(), b); err == nil || brokerKey != nil {
			t.Error("a deleted broker's key can be opened")
		}
		names := map[string]int{}
		for _, e := range w.events("RetireGrant") {
			names[e.EventName]++
		}
		if names["RetireGrant"] != len(b.grantIDs()) {
			t.Errorf("%v on record, want %d", names, len(b.grantIDs()))
		}
	})
}

// TestFenceWaitsForNoDisk: while the disk takes its time with what others write, a key that
// is disabled is taken away all the same, and only the answer waits (D-01).
func TestFenceWaitsForNoDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	id := w.create("orders", key)
	d := w.engine.domain(t, id)
	locked := make(chan struct{}, 8)
	d.Watch(func() { locked <- struct{}{} })
	release := w.disk.Hold()
	defer release()
	answered := make(chan int, 2)
	for _, body := range []object{nil, {"KeyId": key}} {
		op := "CreateKey"
		if body != nil {
			op = "DisableKey"
		}
		go func() {
			status, _ := w.do("ROOT", "POST", "/", body, "kms", kmsapi.API.TargetPrefix+"."+op)
			answered <- status
		}()
	}
	select {
	case <-locked:
	case <-time.After(time.Minute):
		t.Error("the key is not taken away")
	}
	if d.Locked() == nil || len(answered) != 0 {
		t.Errorf("locked: %v; %d answers", d.Locked(), len(answered))
	}
	release()
	for range cap(answered) {
		if status := <-answered; status != 200 {
			t.Errorf("status %d", status)
		}
	}
	w.critical(id, key+" is disabled")
}
