package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// reach calls the process as its operator's commands do.
func (w *world) reach() api.Client {
	w.t.Helper()
	c, err := dialAPI(w.t.Context(), w.cfg.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.close() })
	return api.Client{Caller: c}
}

// TestBackupExpires: a backup that nobody finishes is dropped a day after it was
// made, and no earlier.
func TestBackupExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	src := &online{api: w.reach()}
	id, err := src.create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.n.backups.List()
	if err != nil || len(list) != 1 || list[0].ID != id ||
		list[0].Expires.Sub(list[0].Created) != 24*time.Hour {
		t.Fatalf("%+v, %v", list, err)
	}
	at := list[0].Created.Add(23 * time.Hour)
	b := &backups{engine: w.n.engine, log: w.n.log, now: func() time.Time { return at },
		ctx: t.Context(), active: w.n.backups.active}
	b.expire(list)
	b.work.Wait()
	if have, err := src.list(t.Context()); err != nil || len(have) != 1 {
		t.Errorf("after 23 hours %v, %v", have, err)
	}
	at = at.Add(2 * time.Hour)
	b.expire(list)
	b.work.Wait()
	if have, err := src.list(t.Context()); err != nil || len(have) != 0 {
		t.Errorf("after 25 hours %v, %v", have, err)
	}
}

// TestDescribeStore: the API, the log and the metrics tell the same store; a wrong
// call is told by its code.
func TestDescribeStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.reach()
	out, err := c.DescribeStore(t.Context(), &api.DescribeStoreInput{})
	if err != nil {
		t.Fatal(err)
	}
	s := out.Store
	if len(s.Incarnation) != 32 || !strings.Contains(w.log.String(), s.Incarnation) ||
		len(s.Positions) != 10 || *s.StartNumber != 1 || s.RestoredFrom != nil {
		t.Errorf("%+v", s)
	}
	none := &api.DescribeBackupInput{BackupId: strings.Repeat("0", 32)}
	if _, err := c.DescribeBackup(t.Context(), none); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such backup: %v", err)
	}
	bad := &api.DescribeBackupInput{BackupId: "../.."}
	if _, err := c.DescribeBackup(t.Context(), bad); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no id: %v", err)
	}
}

// restored makes a directory of a backup of the running node, and names its root key.
func (w *world) restored() (data, key string) {
	w.t.Helper()
	dir := w.t.TempDir()
	to, data := filepath.Join(dir, "backup"), filepath.Join(dir, "data")
	if _, err := Backup(w.t.Context(), BackupConfig{Data: w.cfg.Data, To: to}); err != nil {
		w.t.Fatal(err)
	}
	key = filepath.Join(w.cfg.Data, fileRootKey)
	_, err := Restore(w.t.Context(), RestoreConfig{From: to, Data: data, RootKey: key})
	if err != nil {
		w.t.Fatal(err)
	}
	return data, key
}

// TestRestoredFiles: the first start of a restored directory writes the secret
// files, unless there are others; a damaged container is named, by a check before too,
// which finds nothing else wrong with what no process has served yet.
func TestRestoredFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	data, key := w.restored()
	check := func(want int) {
		t.Helper()
		r, err := Check(t.Context(), Config{Data: data, RootKey: key})
		if err != nil || len(r.Damage) != want {
			t.Errorf("check: %+v, %v; want %d findings", r.Damage, err, want)
		}
	}
	check(0)
	put := func(file string, text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(data, fileMainAdmin), []byte("mine\n"))
	sealed := filepath.Join(data, dirStore, fileFiles)
	text, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	start := func() error {
		n, err := Start(t.Context(), Config{
			Data: data, RootKey: key, AutoPorts: true, Logger: w.cfg.Logger})
		if err != nil {
			return err
		}
		return n.Stop(context.WithoutCancel(t.Context()))
	}
	for i := range text {
		if i%37 != 0 {
			continue
		}
		text[i] ^= 1
		put(sealed, text)
		text[i] ^= 1
		check(1)
		err := start()
		if fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), sealed) ||
			!strings.Contains(err.Error(), store.ErrDamaged.Error()) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	put(sealed, text)
	check(0)
	if err := start(); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{fileCredentials: w.cfg.Data, fileMainAdmin: ""} {
		want := []byte("mine\n")
		if from != "" {
			if want, err = os.ReadFile(filepath.Join(from, name)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(filepath.Join(data, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(sealed); err == nil {
		t.Error("the sealed files are left")
	}
}
