package kms

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coffer/internal/control"
)

// usage is an answer of GetKeyLastUsage.
type usage struct {
	KeyId        string
	KeyLastUsage *struct {
		CloudTrailEventId, KmsRequestId, Operation string
		Timestamp                                  float64
	}
	KeyCreationDate, TrackingStartDate float64
}

func (w *world) usage(name string) (u usage) {
	w.t.Helper()
	w.must("root", "GetKeyLastUsage", object{"KeyId": name}, &u)
	return u
}

// restart is the end of a process and the beginning of another; what the old
// one had in memory is gone unless it stored it.
func (w *world) restart(clean bool) {
	w.t.Helper()
	if clean {
		w.flush()
	}
	w.now = w.now.Add(time.Second)
	w.serve()
	w.flush()
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.svc.FlushUses(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// TestLastUsage: KMS-18, D-12: the last use of a key is known after a restart
// and after a crash, and takes no write of its own. What was refused or only tried
// is no use.
func TestLastUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.flush()
	began := w.now
	w.now = w.now.Add(time.Hour)
	name := w.key("root", object{})
	u := w.usage(name)
	if u.KeyLastUsage == nil || u.KeyLastUsage.Operation != "" ||
		u.TrackingStartDate != u.KeyCreationDate || u.KeyCreationDate <= float64(began.Unix()) {
		t.Errorf("never used: %+v", u)
	}
	rows := w.tables()
	var last string
	use := func(op string, more object) {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		in := object{"KeyId": name}
		for k, v := range more {
			in[k] = v
		}
		w.must("root", op, in, nil)
		u := w.usage(name)
		if u.KeyLastUsage.Operation != op || u.KeyLastUsage.Timestamp != float64(w.now.Unix()) ||
			u.KeyLastUsage.CloudTrailEventId == "" || u.KeyLastUsage.KmsRequestId == "" ||
			u.KeyLastUsage.CloudTrailEventId == last {
			t.Errorf("after %s: %+v", op, u.KeyLastUsage)
		}
		last = u.KeyLastUsage.CloudTrailEventId
	}
	unused := func() {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		for _, in := range []string{
			`{"KeyId":"` + name + `","KeySpec":"AES_256","DryRun":true}`,
			`{"KeyId":"` + name + `"}`,
		} {
			if got := w.do("root", "GenerateDataKey", in); strings.HasPrefix(got, "200") {
				t.Fatal(got)
			}
		}
		w.do("alice", "Encrypt", `{"KeyId":"`+name+`","Plaintext":"aGk="}`)
		w.must("root", "DescribeKey", object{"KeyId": name}, nil)
		if u := w.usage(name); u.KeyLastUsage.CloudTrailEventId != last {
			t.Errorf("what was no use: %+v", u.KeyLastUsage)
		}
	}
	use("Encrypt", object{"Plaintext": "aGk="})
	use("GenerateDataKey", object{"KeySpec": "AES_256"})
	use("GenerateDataKeyWithoutPlaintext", object{"KeySpec": "AES_256"})
	unused()
	if after := w.tables(); after[control.TableKeyUse] != rows[control.TableKeyUse] {
		t.Errorf("uses were written: %v, before %v", after, rows)
	}
	w.restart(true)
	unused()
	use("GenerateDataKey", object{"KeySpec": "AES_128"})
	w.restart(false)
	unused()
	use("Encrypt", object{"Plaintext": "aGk="})
	w.flush()
	w.now = w.now.Add(200 * day) // the trail keeps 90
	w.restart(false)
	unused()
}

// TestLastUsageOfGrant: D-12: a grant's last use, and who it was for.
func TestLastUsageOfGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var g struct{ GrantId string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": someUser, "Operations": []string{"Encrypt"},
	}, &g)
	got := w.do("alice", "Encrypt", `{"KeyId":"`+name+`","Plaintext":"aGk=",`+
		`"EncryptionContext":{"for":"payroll"}}`)
	if !strings.HasPrefix(got, "200 ") {
		t.Fatal(got)
	}
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": "aGk="}, nil)
	w.restart(true)
	id, err := parseGrantID(g.GrantId)
	if err != nil {
		t.Fatal(err)
	}
	w.editKey(name, func(tx *control.Tx, k *key) {
		u, err := w.svc.lastUse(tx, usedThing{k.id(), id})
		if err != nil || u == nil || u.Who != someUser || u.Context["for"] != "payroll" ||
			u.Grant != g.GrantId {
			t.Errorf("the grant's: %+v, %v", u, err)
		}
		u, err = w.svc.lastUse(tx, usedThing{key: k.id()})
		if err != nil || u == nil || u.Grant != "" || u.Context != nil {
			t.Errorf("the key's: %+v, %v", u, err)
		}
	})
	// Neither stays behind, nor comes back with what waited to be stored.
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": "aGk="}, nil)
	w.do("alice", "Encrypt", `{"KeyId":"`+name+`","Plaintext":"aGk="}`)
	w.must("root", "RevokeGrant", object{"KeyId": name, "GrantId": g.GrantId}, nil)
	w.must("root", "ScheduleKeyDeletion", object{"KeyId": name}, nil)
	w.now = w.now.Add(usualWindow * day)
	if err := w.svc.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.flush()
	if n := w.rows(control.TableKeyUse); n != 1 {
		t.Errorf("%d rows are left", n)
	}
}

// TestLastUsageByOthers: the owner of a key is told the id of their own event of a
// use by another account.
func TestLastUsageByOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.abroadKey()
	encrypt := `{"KeyId":"` + name + `","Plaintext":"YQ=="}`
	if got := w.do("carol", "Encrypt", encrypt); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	if got := w.own("root", "ListUsage", name, ""); strings.Contains(got, "carol") ||
		!strings.Contains(got, "arn:aws:iam::"+abroad+":root") {
		t.Errorf("the owner learns who it was: %s", got)
	}
	w.now = w.now.Add(time.Minute)
	for _, clean := range []bool{true, false} {
		u := w.usage(name).KeyLastUsage
		own := w.events(home, "Encrypt")
		if len(own) != 1 || u.CloudTrailEventId != own[0].EventID ||
			u.KmsRequestId != own[0].RequestID {
			t.Errorf("%+v, the owner's events %+v", u, own)
		}
		w.restart(clean)
	}
}

// TestManyUses: what does not fit into one unit of work, or into memory.
func TestManyUses(t *testing.T) {
	t.Parallel()
	u := &uses{}
	now := time.Unix(1, 0)
	for i := range maxUses + 1 {
		var t usedThing
		t.key[0], t.key[1], t.key[2] = byte(i>>16), byte(i>>8), byte(i)
		u.add(t, &keyUse{At: now})
	}
	if len(u.last) != maxUses || !u.dropped {
		t.Errorf("%d uses wait, dropped: %t", len(u.last), u.dropped)
	}
	u.add(usedThing{}, &keyUse{At: now.Add(-1), Operation: "older"})
	if u.last[usedThing{}].Operation != "" {
		t.Error("an older use replaced a newer one")
	}
	some, all, _ := u.take(useBatch)
	if len(some) != useBatch || all {
		t.Errorf("took %d, all: %t", len(some), all)
	}
	for range maxUses/useBatch - 2 {
		u.take(useBatch)
	}
	if some, all, dropped := u.take(useBatch); len(some) != useBatch || !all || !dropped {
		t.Errorf("took %d, all: %t, dropped: %t", len(some), all, dropped)
	}
}

// TestUsedBeforeTracking: KMS-18: keys older than the record of uses.
func TestUsedBeforeTracking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	if u := w.usage(name); u.TrackingStartDate != u.KeyCreationDate {
		t.Errorf("%+v", u)
	}
	w.now = w.now.Add(day)
	w.flush()
	u := w.usage(name)
	if u.TrackingStartDate != float64(w.now.Unix()) || u.KeyLastUsage.Operation != "" {
		text, err := json.Marshal(u)
		t.Errorf("%s %v", text, err)
	}
}
