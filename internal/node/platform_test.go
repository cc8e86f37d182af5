package node

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/audit"
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
	w.stop()
	w.start()
	w.n.fleet.work.Wait()
	w.numbered(n/2, n)
}
