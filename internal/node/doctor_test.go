package node

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
	kmsapi "coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/doctor"
	"coffer/internal/listen/listentest"
	"coffer/internal/service/iam"
)

// found gives what is found as id and severity, but for what depends on this machine.
func found(r *doctor.Report) (list []string) {
	for _, f := range r.Findings {
		kind, _, _ := strings.Cut(f.ID, ".")
		if kind != "limit" && kind != "disk" && f.ID != "clock.sync" {
			list = append(list, f.ID+" "+string(f.Severity))
		}
	}
	return list
}

// diagnosed fails unless exactly these are found.
func diagnosed(t *testing.T, what string, r *doctor.Report, want ...string) {
	t.Helper()
	if got := found(r); !slices.Equal(got, want) {
		t.Errorf("%s: found %q, want %q: %+v", what, got, want, r)
	}
}

// seen is the text of the first finding with an id.
func seen(r *doctor.Report, id string) string {
	for _, f := range r.Findings {
		if f.ID == id {
			return f.Seen
		}
	}
	return ""
}

func (w *world) doctor(now func() time.Time) *doctor.Report {
	w.t.Helper()
	r, err := w.n.examineAt(w.t.Context(), now)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// tidied is a directory without the warnings that every new one has.
func tidied(t *testing.T, change func(*Config)) *world {
	w := newWorld(t, func(c *Config) {
		c.AuditHeads = filepath.Join(t.TempDir(), "heads")
		if change != nil {
			change(c)
		}
	})
	if err := os.Remove(filepath.Join(w.cfg.Data, fileMainAdmin)); err != nil {
		t.Fatal(err)
	}
	return w
}

// beside is what is always found where root key and data are in a test's folder.
var beside = []string{"key.beside warning", "backup.age note", "credentials.file note"}

// with gives beside and, before it, findings that are worse.
func with(worse ...string) []string { return append(worse, beside...) }

// TestDoctorServing makes faults in a directory that is served.
func TestDoctorServing(t *testing.T) {
	t.Parallel()
	w := tidied(t, nil)
	diagnosed(t, "fine", w.doctor(time.Now), beside...)
	r := w.doctor(func() time.Time { return time.Now().Add(-2 * time.Hour) })
	diagnosed(t, "clock", r, with("certificate.dates error", "clock.back error")...)

	unlock := w.lockMain()
	r = w.doctor(time.Now)
	diagnosed(t, "locked", r, with("broker.state error")...)
	if text := seen(r, "broker.state"); !strings.Contains(text, "locked: ") {
		t.Errorf("told %q", text)
	}
	unlock()

	w.deleteKey(false)
	key := w.deleteKey(true)
	r = w.doctor(time.Now)
	diagnosed(t, "deletion", r, "key.beside warning", "key.deletion warning",
		"backup.age note", "credentials.file note", "key.deletion note")
	if text := seen(r, "key.deletion"); !strings.Contains(text, key) {
		t.Errorf("told %q", text)
	}
	for name, want := range map[string]string{
		fileCredentials: "file.mode error", fileRootKey: "file.mode error",
		"store/IDENTITY": "file.mode warning",
	} {
		path := filepath.Join(w.cfg.Data, name)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if r := w.doctor(time.Now); !slices.Contains(found(r), want) {
			t.Errorf("%s: %q", name, found(r))
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(w.cfg.Data, dirStore, "RESERVE")); err != nil {
		t.Fatal(err)
	}
	r = w.doctor(time.Now)
	if seen(r, "disk.reserve") == "" {
		t.Errorf("reserve: %+v", r)
	}
}

// deleteKey schedules the deletion of a new key, on which a grant may rest.
func (w *world) deleteKey(granted bool) (arn string) {
	w.t.Helper()
	client := kmsapi.Client{Caller: &gateway.Caller{
		Gateway: w.n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
	out, err := client.CreateKey(w.t.Context(), &kmsapi.CreateKeyInput{})
	if err == nil && granted {
		_, err = client.CreateGrant(w.t.Context(), &kmsapi.CreateGrantInput{
			KeyId: out.KeyMetadata.Arn, Operations: []string{"Decrypt"},
			GranteePrincipal: "mq.amazonaws.com",
		})
	}
	if err == nil {
		_, err = client.ScheduleKeyDeletion(w.t.Context(),
			&kmsapi.ScheduleKeyDeletionInput{KeyId: out.KeyMetadata.KeyId})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out.KeyMetadata.Arn
}

// TestDoctorSettings finds each setting that weakens.
func TestDoctorSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.InsecureLoopback, c.Revocation, c.Lint = true, Delayed, "off"
	})
	diagnosed(t, "all", w.doctor(time.Now), "credentials.file warning", "key.beside warning",
		"setting.plain warning", "setting.revocation warning", "backup.age note",
		"credentials.file note",
		"setting.heads note", "setting.lint note")
}

// TestDoctorAsked asks the process by its socket.
func TestDoctorAsked(t *testing.T) {
	t.Parallel()
	w := tidied(t, nil)
	r, err := Doctor(t.Context(), Config{Data: w.cfg.Data})
	if err != nil || r.State != stateServing || len(r.Checked) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	diagnosed(t, "asked", r, beside...)
}

// TestDoctorStopped makes faults in a directory that nothing serves.
func TestDoctorStopped(t *testing.T) {
	t.Parallel()
	w := tidied(t, nil)
	key := w.deleteKey(true)
	w.stop()
	cfg := w.cfg
	look := func(change func(*Config)) *doctor.Report {
		t.Helper()
		c := cfg
		if change != nil {
			change(&c)
		}
		r, err := Doctor(t.Context(), c)
		if err != nil || r.State != stateStopped {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	r := look(nil)
	diagnosed(t, "fine", r, "key.beside warning", "key.deletion warning", "backup.age note",
		"credentials.file note")
	if text := seen(r, "key.deletion"); !strings.Contains(text, key) {
		t.Errorf("told %q", text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	r = look(func(c *Config) {
		low := listentest.Ports(t, 3)
		c.AutoPorts, c.MetricsPort, c.APIPort = false, low, low+1
		c.ManagementPort, c.AMQPPort = low+2, port
	})
	if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool {
		return f.ID == "port.taken" && strings.Contains(f.Seen, strconv.Itoa(port))
	}) {
		t.Errorf("port: %+v", r)
	}
	other := filepath.Join(t.TempDir(), "other.key")
	key = strings.Repeat("0123456789abcdef", 4) + "\n"
	if err := os.WriteFile(other, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	r = look(func(c *Config) { c.RootKey = other })
	diagnosed(t, "another key", r, "key.opens error", "key.beside warning", "credentials.file note")
	if err := os.Truncate(filepath.Join(cfg.Data, dirStore, "FLOOR"), 100); err != nil {
		t.Fatal(err)
	}
	if got := found(look(nil)); !slices.Contains(got, "store.damage error") {
		t.Errorf("damage: %q", got)
	}
}

// TestDoctorClock finds that the clock went back behind what a stopped directory holds.
func TestDoctorClock(t *testing.T) {
	t.Parallel()
	w := tidied(t, nil)
	w.stop()
	cfg := w.cfg
	if err := cfg.fill(); err != nil {
		t.Fatal(err)
	}
	e := &examination{cfg: &cfg, r: &doctor.Report{}, now: func() time.Time {
		return time.Now().Add(-time.Minute)
	}}
	e.stopped(context.Background())
	e.r.Sort()
	diagnosed(t, "a minute", e.r, with("clock.back warning")...)
}

// TestDoctorAges tells of a backup, and of a head of the trail, that are old.
func TestDoctorAges(t *testing.T) {
	t.Parallel()
	e := &examination{r: &doctor.Report{}, now: time.Now}
	for days, want := range map[int]string{7: "", 9: "the newest backup is 9 days old"} {
		e.r = &doctor.Report{}
		row, err := json.Marshal(copiedBackup{Created: time.Now().Add(-time.Duration(days) * day)})
		must(t, err)
		must(t, e.backup(func(control.Table, []byte) ([]byte, bool, error) {
			return row, true, nil
		}))
		if got := seen(e.r, "backup.age"); got != want {
			t.Errorf("%d days: %q", days, got)
		}
	}
	for s, want := range map[*audit.Stats]string{
		{Age: time.Second}:            "",
		{Age: 2 * time.Minute}:        "no head of the audit trail was signed for 2m0s",
		{Err: errors.New("no space")}: "heads of the audit trail are not written: no space",
	} {
		e.r = &doctor.Report{}
		trailHeads(e.r, *s)
		if got := seen(e.r, "trail.heads"); got != want {
			t.Errorf("%+v: %q", s, got)
		}
	}
}

// TestDoctorNew looks at what a first start would find.
func TestDoctorNew(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	r, err := Doctor(t.Context(), Config{Data: data, AutoPorts: true})
	if err != nil || len(r.Skipped) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	diagnosed(t, "new", r, "setting.heads note")
	if _, err := os.Stat(data); err == nil {
		t.Error("the directory was made")
	}
}
