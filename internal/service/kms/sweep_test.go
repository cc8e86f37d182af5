package kms

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	"coffer/internal/control"
)

// tables counts what each table of the package has.
func (w *world) tables() map[control.Table]int {
	w.t.Helper()
	counts := map[control.Table]int{}
	err := w.db.View(w.t.Context(), func(_ context.Context, tx *control.Tx) error {
		for _, t := range []control.Table{
			control.TableKey, control.TableMaterial, control.TableAlias, control.TableGrant,
			control.TableGrantIndex, control.TableKeyUse, control.TableRotation,
		} {
			err := tx.Scan(t, nil, func(_, _ []byte) error {
				counts[t]++
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

// TestSweep: KMS-17: when the waiting period ends nothing of the key stays
// behind, and that is on record; other keys keep all they have. It takes several
// units of work, and a process that ends after any of them goes on.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.svc.cfg.MaxGrants = 3 * sweptGrants
	w.key("root", object{})
	before := w.tables()
	name := w.key("root", object{})
	w.must("root", "CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": name}, nil)
	w.manyGrants(name, 2*sweptGrants+7)
	w.must("root", "ScheduleKeyDeletion", object{"KeyId": name, "PendingWindowInDays": 7}, nil)
	w.now = w.now.Add(7*day - time.Nanosecond)
	if err := w.svc.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.tables()[control.TableMaterial]; n != 2 {
		t.Fatalf("before the time %d materials", n)
	}
	w.now = w.now.Add(time.Nanosecond)
	w.fences.take()
	id := idOf(name)
	for i := range 2 { // then the process ends
		if more, err := w.svc.step(t.Context(), id); !more || err != nil {
			t.Fatal(more, err)
		}
		if got := w.fences.take(); len(got) != 2 || !strings.HasPrefix(got[0], "fence "+name) {
			t.Errorf("step %d: fences %v", i, got)
		}
	}
	if left := w.tables(); left[control.TableMaterial] != 1 || left[control.TableAlias] != 0 ||
		left[control.TableGrant] != sweptGrants+7 {
		t.Errorf("half way there are %v", left)
	}
	again, err := New(w.db, w.fences, Config{Trail: w.log})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := w.tables(); !maps.Equal(after, before) {
		t.Errorf("left %v, before %v", after, before)
	}
	events, _, err := w.log.Lookup(t.Context(), audit.Query{
		Account: home, Region: here, Attribute: "EventName", Value: "DeleteKey",
	})
	if err != nil || len(events) != 1 || events[0].Resources[0].ARN != name ||
		events[0].EventType != "AwsServiceEvent" || events[0].UserIdentity.Type != "" {
		t.Fatalf("events %+v, %v", events, err)
	}
	audittest.Recorded(t)(events[0])
}

// idOf gives the id in the ARN of a key.
func idOf(name string) keyID { return uuid.MustParse(name[strings.LastIndexByte(name, '/')+1:]) }

// manyGrants stores grants with all their indexes.
func (w *world) manyGrants(name string, n int) {
	w.t.Helper()
	for i := range n {
		w.must("root", "CreateGrant", object{
			"KeyId": name, "GranteePrincipal": "mq.amazonaws.com",
			"RetiringPrincipal": "ec2.amazonaws.com", "Name": fmt.Sprint(i),
			"Operations": []string{"Decrypt"},
		}, nil)
	}
}
