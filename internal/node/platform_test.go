package node

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
	kmsapi "coffer/internal/aws/api/kms"
	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
)

// keyEvents gives the events of a name.
func (w *world) keyEvents(name string) []*audit.Event {
	w.t.Helper()
	events, _, err := w.n.trail.Lookup(w.t.Context(), audit.Query{
		Account: Account, Region: Region, Attribute: "EventName", Value: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// TestRotatePlatform replaces the platform key while messages are published: none is refused,
// no session ends, and all of it is there after a restart under another root key, too.
func TestRotatePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn, ch := w.dial()
	passed, stop := confirming(t, ch)
	for range 3 {
		for range 5 { // it goes on
			<-passed
		}
		if err := RotatePlatform(t.Context(), w.cfg); err != nil {
			t.Fatal(err)
		}
	}
	<-passed
	if s, err := Root(t.Context(), w.cfg.Data); err != nil || s.Platform.Keys != 4 ||
		s.Platform.Since == nil {
		t.Errorf("%+v, %v", s, err)
	}
	n := stop()
	if conn.IsClosed() {
		t.Error("the connection ended")
	}
	other := w.cfg
	other.RootKey = filepath.Join(t.TempDir(), "other")
	if err := writeKeyFile(other.RootKey, seal.Secret(bytes.Repeat([]byte{9}, 32))); err != nil {
		t.Fatal(err)
	}
	if err := RotatePlatform(t.Context(), other); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with another root key: %v", err)
	}
	wrong := presentKey{bytes.Repeat([]byte{9}, 32)}
	err := askOperator(t.Context(), w.cfg.Data, "platform", wrong, &RootStatus{})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("with another root key on the socket: %v", err)
	}
	made, err := w.cfg.Secrets.Make(t.Context(), rootkey.Source{Kind: rootkey.Key,
		Place: rootkey.File, Name: filepath.Join(w.cfg.Data, fileRootKey)}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := RotateRoot(t.Context(), w.cfg.Data, made); err != nil {
		t.Fatal(err)
	}
	if a, b := w.keyEvents("RotatePlatformKey"), w.keyEvents("RotateRootKey"); len(a) != 3 ||
		len(b) != 1 {
		t.Errorf("on record: %v, %v", a, b)
	}
	w.numbered(0, n/2)
	w.awaitResealed()
	w.stop()
	w.start()
	w.n.fleet.work.Wait()
	w.numbered(n/2, n)
}

// awaitResealed waits until all is sealed under the newest platform key.
func (w *world) awaitResealed() {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; runtime.Gosched() {
		s, err := Root(w.t.Context(), w.cfg.Data)
		if err != nil || time.Now().After(deadline) {
			w.t.Fatalf("%+v, %v\n%s", s, err, w.log.String())
		}
		if s.Platform.Resealed && s.Platform.Shard == nil {
			return
		}
	}
}

// whole stops the process, and gives how many rows are under older platform keys.
func (w *world) whole() (older int64) {
	w.t.Helper()
	w.stop()
	r, err := Check(w.t.Context(), w.cfg)
	if err != nil || len(r.Damage) > 0 || !r.Sealed {
		w.t.Fatalf("%+v, %v", r, err)
	}
	for _, s := range r.Shards {
		older += s.Older
	}
	return older
}

// TestResealLater: a process seals anew what the one before it left under an older key, and so
// does one over a backup that was made meanwhile. What the files hold opens with the older
// key no more, and all is as it was.
func TestResealLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, ch := w.dial()
	passed, stop := confirming(t, ch)
	for range 20 {
		<-passed
	}
	n := stop()
	key := w.newKey()
	root, err := w.cfg.Secrets.Key(t.Context(), rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: filepath.Join(w.cfg.Data, fileRootKey)})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody seals anew before the next start.
	record := w.n.keyEvent("RotatePlatformKey", nil)
	if err := w.n.db.RotatePlatform(t.Context(), root, record); err != nil {
		t.Fatal(err)
	}
	to, copied := filepath.Join(t.TempDir(), "to"), &world{t: t, cfg: w.cfg}
	if _, err := Backup(t.Context(), BackupConfig{Data: w.cfg.Data, To: to}); err != nil {
		t.Fatal(err)
	}
	copied.cfg.Data = filepath.Join(t.TempDir(), "data")
	copied.cfg.Logger = slog.New(slog.NewTextHandler(&copied.log, nil))
	t.Cleanup(copied.stop)
	if _, err := Restore(t.Context(), RestoreConfig{From: to, Data: copied.cfg.Data}); err != nil {
		t.Fatal(err)
	}
	if err := writeKeyFile(filepath.Join(copied.cfg.Data, fileRootKey), root); err != nil {
		t.Fatal(err)
	}
	if older := w.whole(); older < int64(n) {
		t.Errorf("%d rows are under the older key", older)
	}
	for _, w := range []*world{w, copied} {
		w.start()
		w.awaitResealed()
		if older := w.whole(); older != 0 {
			t.Errorf("%d rows are left under the older key", older)
		}
		w.start()
		w.n.fleet.work.Wait()
		w.numbered(0, n)
		in := &kmsapi.DescribeKeyInput{KeyId: key}
		if _, err := w.keys().DescribeKey(t.Context(), in); err != nil {
			t.Error(err)
		}
		if s := w.n.platformStatus(); s.Keys != 2 || !s.Resealed || s.Until == nil {
			t.Errorf("%+v", s)
		}
	}
}
